"""How many times longer than usual the cluster may take: once, or as often as the environment says of an emulated processor.

Who starts a cluster on an emulated processor measures how slow that is and says it in AFTERSHOCK_SLOWER_BY. Each limit in which the cluster
waits for the machine or for Kubernetes passes here, and no other place knows of it: the limits themselves stay what they are. Kubernetes'
own timers, and how long an outage lasts, do not change.
"""

import os

from cluster.errors import ClusterError

VARIABLE = "AFTERSHOCK_SLOWER_BY"
_MOST = 100.0


def slower_by() -> float:
    """Return the factor, 1 where nothing is said; raise ClusterError for what is no number from 1 to 100."""
    said = os.environ.get(VARIABLE, "1")
    try:
        factor = float(said)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= _MOST:
        raise ClusterError(
            f"{VARIABLE} is {said!r}: write how many times slower than usual this machine is, from 1 to {_MOST:g}, or unset it."
        )
    return factor


def limit_s(usual_s: float) -> float:
    """Return the time limit (s) on this machine where `usual_s` is the one on a real processor."""
    return usual_s * slower_by()


def said() -> str:
    """Return what a sentence about a limit that has passed must add; empty where limits are as usual."""
    factor = slower_by()
    return "" if factor == 1 else f" ({VARIABLE}: {factor:g} times that, in fact)"
