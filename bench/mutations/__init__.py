"""Mutation test of the suite: broken faults, probes and loads through whole sessions of ``pytest -m chaos``, and broken histories."""
