"""What breaks things: Chaos Toolkit actions, one file a fault family: inject, and how it ends.

Every fault acts on the targets that preflight resolved, in the blast radius, records how to undo it before it acts, and refuses without a
live run. Its evidence is in :mod:`probes`, never here. A new fault is one function under :func:`safety.fault_spec.fault`.
"""
