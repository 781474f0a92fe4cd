"""Evidence that pods were killed, and where all evidence about a target's pod begins: the pod itself."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.client import api_errors
from kube.objects import Pod
from kube.selection import read_pod
from safety import active_run


def gone(activity: str) -> bool:
    """Tell whether every pod that ``activity`` was to kill is gone: no object with its uid is left. Raises NoData: no answer."""
    run = active_run.require()
    with api_errors(f"look for the targets of {activity}", NoData):
        return all(read_pod(run.platform, target) is None for target in pods_of(activity))


def pod_of(target: ResolvedTarget) -> Pod:
    """Return a target's pod. Raises NoData: it is gone, or the API server does not answer."""
    with api_errors(f"look at pod {target.namespace}/{target.name}", NoData):
        pod = read_pod(active_run.require().platform, target)
    if pod is None:
        raise NoData(f"pod {target.namespace}/{target.name}: it is gone, so nobody can say anything of it; who deleted it?")
    return pod


def pods_of(activity: str) -> list[ResolvedTarget]:
    """Return the pods among the targets of ``activity``. Raises NoData: there is none, so there is nothing to see."""
    pods = [target for target in active_run.require().targets_of(activity) if target.kind == "Pod"]
    if not pods:
        raise NoData(f"{activity}: none of its targets is a pod; use a probe that fits its fault")
    return pods
