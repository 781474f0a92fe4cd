"""Faults that do not do what they say. ``how`` is the mutation; ``honest`` is the twin."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kubernetes.client.exceptions import ApiException

import bench.mutations.quick  # noqa: F401 - shortens this process's clock
from faults.mechanisms.process_signal import signal_process
from faults.pods import kill as kill_pods
from faults.processes import engine_role
from faults.processes import freeze_engine as freeze_engine_for
from history.plan import ResolvedTarget
from kube.selection import pod_target, pods_among, ready_pods
from safety import active_run, fault_steps
from safety.fault_spec import fault, lasts_for_s
from testing.runs.fault_parts import spec

Returned = dict[str, object]
LATE_S, SOON_S, SILENT_S, EARLY_S = 1.5, 1.0, 2.0, 4.0


@fault(resolve=spec(kill_pods).resolve, permissions=spec(kill_pods).permissions, tier="namespace")
def kill(role: str, count: int = 1, how: str = "honest") -> Returned:
    """Kill pods, or do what mutation ``how`` does instead."""
    return KILLS[how](role, count)


def _no_op(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets)
    return _says(targets)


def _wrong_target(role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets)
    _delete(_others(role, targets)[:1])
    return _says(targets)


def _wrong_target_said(role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    others = _others(role, targets)[:1]
    run.fault_starts(others)
    _delete([*targets, *others])
    return _says(others)


def _partial(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets)
    _delete(targets[:-1])
    return _says(targets)


def _partial_said(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets[:-1])
    _delete(targets)
    return _says(targets[:-1])


def _raises(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets)
    raise ApiException(status=403, reason="Forbidden")


def _names_nothing(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    run.fault_starts(targets)
    _delete(targets)
    return {"targets": []}


def _stamps_late(_role: str, _count: int) -> Returned:
    run, targets, _ = fault_steps.begin()
    _delete(targets)
    time.sleep(LATE_S)
    run.fault_starts(targets)
    return _says(targets)


def _hangs(role: str, count: int) -> Returned:
    kill_pods(role, count)
    threading.Event().wait()
    return {}


def _never_stamps(_role: str, _count: int) -> Returned:
    _, targets, _ = fault_steps.begin()
    _delete(targets)
    return _says(targets)


def _then(load: Callable[[int], None]) -> Callable[[str, int], Returned]:
    """Return a fault that does what it says, and breaks the load a second later."""

    def act(role: str, count: int) -> Returned:
        returned = kill_pods(role, count)
        pid = next(int(child) for child in _children() if "workloads.load" in Path(f"/proc/{child}/cmdline").read_text())
        threading.Timer(SOON_S, load, [pid]).start()
        return returned

    return act


def _kill_load(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _stop_load_for_good(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


def _stop_load(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(SILENT_S)
    os.kill(pid, signal.SIGCONT)


KILLS: dict[str, Callable[[str, int], Returned]] = {
    "honest": kill_pods,
    "no-op": _no_op,
    "wrong target": _wrong_target,
    "wrong target, and says so": _wrong_target_said,
    "partial": _partial,
    "partial, and says so": _partial_said,
    "raises": _raises,
    "names nothing": _names_nothing,
    "stamps late": _stamps_late,
    "never stamps": _never_stamps,
    "hangs": _hangs,
    "load killed": _then(_kill_load),
    "load hung": _then(_stop_load_for_good),
    "load hung for 2 s": _then(_stop_load),
}


@fault(resolve=spec(freeze_engine_for).resolve, permissions=spec(freeze_engine_for).permissions, tier="ephemeral", lasts_s=lasts_for_s)
def freeze(role: str, for_s: float, how: str = "honest") -> Returned:
    """Freeze an engine for ``for_s`` seconds, or end it early as mutation ``how`` does."""
    if how == "honest":
        return freeze_engine_for(role, for_s)
    run, targets, objects = fault_steps.begin()
    _, container, engine = engine_role(run.platform, role)
    run.fault_starts(targets)
    signal_process(run.platform, pods_among(objects)[0], container, engine, 0.05 if how == "healed at once" else EARLY_S)
    return _says(targets)


def _others(role: str, targets: list[ResolvedTarget]) -> list[ResolvedTarget]:
    named = {target.name for target in targets}
    return [pod_target(pod, "", "") for pod in ready_pods(active_run.require().platform, role) if pod.metadata.name not in named]


def _delete(targets: list[ResolvedTarget]) -> None:
    core = active_run.require().platform.core
    for target in targets:
        core.delete_namespaced_pod(target.name, target.namespace or "", grace_period_seconds=0)


def _says(targets: list[ResolvedTarget]) -> Returned:
    return {"targets": [target.name for target in targets]}


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
