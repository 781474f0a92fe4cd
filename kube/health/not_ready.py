"""Why a pod is not ready, in the scheduler's and the kubelet's own words."""

from __future__ import annotations

from collections.abc import Iterator

from kube.client import ready
from kube.objects import Pod
from target.secrets.hiding import excerpt

MOST = 200  # characters of what they say
GATE = "ReadinessGatesNotReady"
STARTING = {"ContainerCreating", "PodInitializing"}  # which says nothing of a trouble


def why_not_ready(pod: Pod) -> str:
    """Return why a V1Pod is not ready, in one line; empty: it is, or nobody says why."""
    if ready(pod) or pod.metadata.deletion_timestamp is not None:
        return ""
    said = next(iter([*_conditions(pod), *_waiting(pod)]), "")
    return f"{pod.metadata.name} is {pod.status.phase}: {excerpt(said, MOST)}" if said else ""


def _conditions(pod: Pod) -> Iterator[str]:
    """Yield what no container says: there is no node for it, or a readiness gate (of a load balancer, say) is closed."""
    for one in pod.status.conditions or []:
        if one.status == "False" and (one.type == "PodScheduled" or one.reason == GATE):
            yield " ".join(f"{one.reason}: {one.message}".split())


def _waiting(pod: Pod) -> Iterator[str]:
    for one in [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]:
        waiting = one.state.waiting if one.state else None
        if waiting is not None and waiting.reason not in STARTING | {None}:
            yield " ".join(f"container {one.name}: {waiting.reason} {waiting.message or ''}".split())
