"""Evidence about the engine process inside a pod: read from /proc of its container, not from what the injector says."""

from __future__ import annotations

from datetime import UTC, datetime

from history.clock import now_ns
from history.errors import NoData
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.container_exec import Process, workers
from kube.containers import status_of
from kube.labels import selects
from kube.objects import Pod
from probes.events import first_ns
from probes.targets import pod_of, targets_of
from safety import active_run
from target.role import Role

STOPPED = {"T", "t"}  # proc_pid_stat(5): stopped by a signal, or by a tracer


def frozen(activity: str) -> bool:
    """Tell whether the engine in every target of ``activity`` is stopped: the kernel says state T. Raises NoData: nobody can see it."""
    return all(_all_stopped(target) for target in targets_of(activity, "Pod"))


def killed(activity: str) -> bool:
    """Tell whether the engine in every target of ``activity`` ended since the fault began.

    That is: its container ended since then (Kubernetes counts a restart), or no engine runs in it, or only one that is younger than
    the fault. Raises NoData: nobody can see it.
    """
    since_ns = first_ns(EventKind.FAULT_START, activity)
    return all(_container_ended(target, since_ns) or _engine_ended(target, since_ns) for target in targets_of(activity, "Pod"))


def _all_stopped(target: ResolvedTarget) -> bool:
    found = _engines(target)
    return bool(found) and all(process.state in STOPPED for process in found)


def _engine_ended(target: ResolvedTarget, since_ns: int) -> bool:
    elapsed_s = (now_ns() - since_ns) / 1e9  # before looking: a younger engine may be missed once, an older one never be taken for new
    return all(process.age_s < elapsed_s for process in _engines(target))


def _container_ended(target: ResolvedTarget, since_ns: int) -> bool:
    run, pod = active_run.require(), pod_of(target)
    status = status_of(pod, _role(target, pod).container)
    ends = [state.terminated.finished_at for state in (status.state, status.last_state) if state and state.terminated] if status else []
    slack_s = 1.5  # Kubernetes cuts to whole seconds, and the offset is known to half a second
    since = datetime.fromtimestamp(since_ns / 1e9 + run.platform.clock_offset_s - slack_s, UTC)
    return any(end is not None and end >= since for end in ends)


def _engines(target: ResolvedTarget) -> list[Process]:
    run, pod = active_run.require(), pod_of(target)
    role = _role(target, pod)
    if not role.container or not role.worker:
        raise NoData(f"target {run.plan.target.name}: the role of pod {target.name} names no container or no engine process; add both")
    return workers(run.platform, target.name, target.namespace or "", role.container, role.worker)


def _role(target: ResolvedTarget, pod: Pod) -> Role:
    """Return the role that selects ``pod``. Raises NoData: none does."""
    labels = pod.metadata.labels or {}
    for role in active_run.require().platform.target.roles.values():
        if role.namespace == target.namespace and selects(role.selector, labels):
            return role
    raise NoData(f"pod {target.namespace}/{target.name}: no role of the target file selects it; correct the selectors")
