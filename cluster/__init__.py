"""The embedded Kubernetes: a real control plane and several nodes in three zones on one Linux machine.

`python -m cluster up` starts it, `python -m cluster down` leaves nothing behind; README.md says how it works.
"""
