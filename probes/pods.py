"""Evidence that pods are gone: all that a fault was aimed at, or some of them."""

from __future__ import annotations

from history.errors import NoData
from kube.client import api_errors
from kube.selection import read_pod
from probes.targets import targets_of
from safety import active_run


def gone(activity: str) -> bool:
    """Tell whether every pod that ``activity`` was to kill is gone: no object with its uid is left. Raises NoData: no answer."""
    return all(_gone(activity))


def some_gone(activity: str, count: int = 1) -> bool:
    """Tell whether exactly ``count`` of the pods of ``activity`` are gone, whichever, and no others. Raises NoData: no answer."""
    return sum(_gone(activity)) == count


def _gone(activity: str) -> list[bool]:
    run = active_run.require()
    with api_errors(f"look for the targets of {activity}", NoData):
        return [read_pod(run.platform, target) is None for target in targets_of(activity, "Pod")]
