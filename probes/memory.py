"""Evidence about memory: whether a container ended because it ran out of it, as the kubelet says."""

from __future__ import annotations

from datetime import UTC, datetime

from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.containers import main_container, status_of
from probes.events import first_ns
from probes.targets import pod_of, targets_of
from safety import active_run

OOM_KILLED = "OOMKilled"
SLACK_S = 1.5  # Kubernetes cuts to whole seconds, and the offset is known to half a second


def out_of_memory(activity: str, role: str) -> bool:
    """Tell whether the container of ``role`` in every target of ``activity`` ended since the fault began, by the kubelet ``OOMKilled``.

    Runtimes say so of a container in which the kernel has killed any process for lack of memory, once it has ended. Older ends are none.
    Raises NoData: a pod is gone, or the API server does not answer.
    """
    since_s = first_ns(EventKind.FAULT_START, activity) / 1e9
    return all(_ended_for_it(target, role, since_s) for target in targets_of(activity, "Pod"))


def _ended_for_it(target: ResolvedTarget, role: str, since_s: float) -> bool:
    platform, pod = active_run.require().platform, pod_of(target)
    status = status_of(pod, main_container(pod, platform.target.role(role).container).name)
    ends = [state.terminated for state in (status.state, status.last_state) if state and state.terminated] if status else []
    least = datetime.fromtimestamp(since_s + platform.clock_offset_s - SLACK_S, UTC)
    return any(end.reason == OOM_KILLED and end.finished_at is not None and end.finished_at >= least for end in ends)
