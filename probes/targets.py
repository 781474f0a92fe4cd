"""What evidence looks at: the targets that preflight resolved for a fault, and the pods behind them."""

from __future__ import annotations

from typing import Literal

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.client import api_errors
from kube.container_exec import output_in
from kube.objects import Pod
from kube.selection import read_pod
from safety import active_run


def targets_of(activity: str, kind: Literal["Pod", "Node", "Device", "ControlPlane", "Namespace"]) -> list[ResolvedTarget]:
    """Return the targets of a kind of ``activity``. Raises NoData: there is none, so there is nothing to see."""
    found = [target for target in active_run.require().targets_of(activity) if target.kind == kind]
    if not found:
        raise NoData(f"{activity}: none of its targets is a {kind.lower()}; use a probe that fits its fault")
    return found


def pod_of(target: ResolvedTarget) -> Pod:
    """Return a target's pod. Raises NoData: it is gone, or the API server does not answer."""
    with api_errors(f"look at pod {target.namespace}/{target.name}", NoData):
        pod = read_pod(active_run.require().platform, target)
    if pod is None:
        raise NoData(f"pod {target.namespace}/{target.name}: it is gone, so nobody can say anything of it; who deleted it?")
    return pod


def output(target: ResolvedTarget, role: str, command: list[str]) -> str:
    """Run ``command`` in a target's pod, in the container of its ``role``; return its output. Raises NoData: nobody can."""
    return output_in(active_run.require().platform, target, role, command)
