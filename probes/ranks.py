"""Evidence about ranks of a training job: how they ended, as kernel, Kubernetes and torchrun tell."""

from __future__ import annotations

import re
import signal

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import api_errors
from kube.containers import status_of
from probes.events import first_ns, training_rows
from probes.processes import frozen
from probes.targets import output, pod_of
from safety import active_run

KILLS = "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null; true"
OOM_KILL = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
OOM_KILLED = "OOMKilled"
LEAST_S = 5.0


def ended_by(activity: str, role: str, signal_name: str) -> bool:
    """Tell whether torchrun in every target of ``activity`` says, since the fault began, that a rank ended by a signal (``SIGSEGV``).

    Raises:
        NoData: the fault has not begun, or the log cannot be read.

    """
    since_s = (now_ns() - first_ns(EventKind.FAULT_START, activity)) / 1e9
    said = f"exitcode: -{signal.Signals[signal_name].value})"
    return all(said in _log(target, role, since_s) for target in active_run.require().targets_of(activity))


def _log(target: ResolvedTarget, role: str, since_s: float) -> str:
    platform = active_run.require().platform
    container = platform.target.role(role).container or ""
    with api_errors(f"read the log of pod {target.namespace}/{target.name}", NoData):
        return platform.core.read_namespaced_pod_log(
            target.name, target.namespace or "", container=container, since_seconds=max(1, int(since_s) + 1)
        )


def out_of_memory(activity: str, role: str) -> bool:
    """Tell whether the kernel killed for lack of memory in every target of ``activity``: by its count, or by the container's status.

    The count is that of the container's control group, which begins with 0 in the job's pods; both versions of control groups call it
    ``oom_kill``. Where the whole group is killed, Kubernetes says ``OOMKilled``.

    Raises:
        NoData: the fault has not begun, or the container cannot be looked at.

    """
    first_ns(EventKind.FAULT_START, activity)
    return all(_oom_killed(target, role) or _counted(target, role) for target in active_run.require().targets_of(activity))


def _counted(target: ResolvedTarget, role: str) -> bool:
    counts = OOM_KILL.findall(output(target, role, ["sh", "-c", KILLS]))
    if not counts:
        raise NoData(f"pod {target.namespace}/{target.name}: its kernel counts no kills for lack of memory (Linux before 4.13)")
    return any(int(count) > 0 for count in counts)


def _oom_killed(target: ResolvedTarget, role: str) -> bool:
    status = status_of(pod_of(target), active_run.require().platform.target.role(role).container)
    states = (status.state, status.last_state) if status else ()
    return any(state and state.terminated and state.terminated.reason == OOM_KILLED for state in states)


def faltering(activity: str, looks: int = 12) -> bool:
    """Tell whether the rank in every target of ``activity`` is stopped at some looks and not at others: the kernel's state letter.

    Raises:
        NoData: nobody can see it.

    """
    seen = [frozen(activity) for _ in range(looks)]
    return any(seen) and not all(seen)


def gang_slowed(activity: str, factor: float, before_s: float = 15.0) -> bool:
    """Tell whether all ranks together did at most ``factor`` as many steps a second since ``activity`` began as before: they wait for one.

    Args:
        activity: the fault that slows a rank.
        factor: below 1.
        before_s: how long before the fault is compared with.

    Raises:
        NoData: the fault has not begun, or less than 5 s ago; or no step was done before it.

    """
    since_ns, until_ns = first_ns(EventKind.FAULT_START, activity), now_ns()
    if until_ns - since_ns < LEAST_S * 1e9:
        raise NoData(f"training: {activity} began less than {LEAST_S:g} s ago, too short to compare")
    steps = training_rows().filter((pl.col("kind") == "step") & (pl.col("rank") == 0))
    before = steps.filter(pl.col("t_ns").is_between(since_ns - int(before_s * 1e9), since_ns)).height / before_s
    since = steps.filter(pl.col("t_ns") > since_ns).height / ((until_ns - since_ns) / 1e9)
    if not before:
        raise NoData(f"training: no step was done in the {before_s:g} s before {activity}, so there is nothing to compare with")
    return since <= factor * before
