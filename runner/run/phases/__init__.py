"""The phases of a run, one module each, in the order of :mod:`runner.run.lifecycle`."""
