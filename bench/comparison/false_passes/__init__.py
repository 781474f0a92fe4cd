"""Experiments that Chaos Toolkit's defaults let pass or leave half done, run by both tools: ``python -m bench.comparison.false_passes``."""
