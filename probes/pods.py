"""Evidence that pods were killed."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube import live
from kube.clients import told
from kube.select import read_target


def gone(activity: str) -> bool:
    """Tell whether every pod that ``activity`` was to kill is gone: no object with its uid is left. Raises NoData: no answer."""
    run = live.require()
    with told(f"look for the targets of {activity}", NoData):
        return all(read_target(run.platform, target) is None for target in pods_of(activity))


def pods_of(activity: str) -> list[ResolvedTarget]:
    """Return the pods among the targets of ``activity``. Raises NoData: there is none, so there is nothing to see."""
    pods = [target for target in live.require().targets_of(activity) if target.kind == "Pod"]
    if not pods:
        raise NoData(f"{activity}: none of its targets is a pod; use a probe that fits its fault")
    return pods
