"""What looks: Chaos Toolkit probes, read-only, one file a concern.

Hypothesis probes return a number. Evidence probes take the name of the action that they prove, look at the targets that preflight
resolved for it, and return True or False; they never ask the injector. What cannot be seen is :class:`history.errors.NoData`, never a pass.
"""
