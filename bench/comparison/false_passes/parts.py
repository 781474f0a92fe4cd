"""What the experiments of the comparison call, the same functions under both tools: faults on a server, probes, rollbacks.

The platform is a real HTTP server on 127.0.0.1 (:mod:`testing.load.scripted_server`; its address and process id stand in the environment
variables :data:`URL` and :data:`PID`) and an API server in memory. The fault is real: the server's process is stopped (SIGSTOP), users
wait, and a process of its own notes what it finds (in the file :data:`WITNESS`) and continues it. Under ``chaos run`` there is no live
run, so targets are selected at run time, as its extensions do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import requests
from chaoslib.exit import exit_gracefully
from kubernetes.client.exceptions import ApiException

from bench.common.memory_cluster import target_for
from bench.comparison.false_passes.memory import MemoryCluster
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.permissions import Permission
from kube.selection import pod_target, ready_pods
from kube.wait import until
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, fault
from safety.undo_journal import UndoKind

URL, PID, WITNESS = "FALSE_PASSES_URL", "FALSE_PASSES_PID", "FALSE_PASSES_WITNESS"
PATIENCE_S = 0.3
STOPPED = "T"  # a process's state in /proc
ENDS = "a process of its own continues the server"


class State:
    """What the functions of this process know of each other; :meth:`reset` before each run."""

    acted = False  # a fault has acted, so an instrument may have gone
    tripped = False  # a safeguard found that the experiment must end

    @classmethod
    def reset(cls) -> None:
        """Forget the run before."""
        cls.acted = cls.tripped = False


def _resolve(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    return [pod_target(ready_pods(platform, arguments["role"])[0], "its server is stopped", ENDS)]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return [Permission(verb, "pods", namespace=platform.target.role(arguments["role"]).namespace) for verb in ("get", "list", "delete")]


def _lasts_s(arguments: Arguments) -> float:
    return float(arguments.get("for_s", 0.0))


as_fault = fault(resolve=_resolve, permissions=_permissions, tier="namespace", lasts_s=_lasts_s)


# actions


@as_fault
def freeze(role: str, for_s: float, wait: bool = False) -> dict[str, Any]:
    """Stop the server for ``for_s`` seconds; with ``wait`` return when it is over. Without a match nothing is stopped."""
    names = _begin(role, for_s)
    if names:
        _stop_server(for_s)
    if wait:
        until(lambda: state_of_server() != STOPPED, for_s + 1.0)
    return {"targets": names}


@as_fault
def freeze_and_signal(role: str, number: str, wait: bool = False) -> dict[str, Any]:
    """Stop the server for long, and let somebody send this process a signal a moment later; with ``wait`` while this still acts."""
    names = _begin(role, LONG_S)
    _stop_server(LONG_S)
    _later(SOON_S, f"kill -s {number} {os.getpid()}")
    if wait:
        time.sleep(10 * SOON_S)  # a signal handler that raises ends this early
    return {"targets": names}


@as_fault
def freeze_until_safeguard(role: str) -> dict[str, Any]:
    """Stop the server for long; a safeguard notices a moment later and asks to end the experiment."""
    names = _begin(role, LONG_S)
    _stop_server(LONG_S)
    threading.Timer(SOON_S, _trip).start()
    return {"targets": names}


@as_fault
def delete(role: str) -> dict[str, Any]:
    """Delete the first pod of ``role``: the API server answers 403 (an admission policy that access reviews do not know of)."""
    platform = _platform()
    pod = ready_pods(platform, role)[0]
    platform.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
    return {"targets": [pod.metadata.name]}


@as_fault
def freeze_stale(role: str) -> dict[str, Any]:
    """Select again at run time, by a label that no pod carries any more: nothing matches, nothing is done, nothing is raised."""
    platform = _platform()
    of = platform.target.role(role)
    pods = platform.core.list_namespaced_pod(of.namespace, label_selector=f"{of.selector},version=old").items
    return {"targets": [pod_target(pod, "", "").name for pod in pods]}


@as_fault
def pretend(role: str) -> dict[str, Any]:
    """Name a target and leave it alone, as a fault whose mechanism silently does not work on this kernel."""
    return {"targets": _begin(role, 0.0)}


def thaw() -> dict[str, Any]:
    """Continue the server (rollback; idempotent)."""
    os.kill(int(os.environ[PID]), signal.SIGCONT)
    return {"undone": ["server"]}


def thaw_forbidden() -> dict[str, Any]:
    """Fail to undo: the API server answers 403."""
    raise ApiException(status=403, reason="Forbidden")


# probes


def answers(patience_s: float = PATIENCE_S) -> float:
    """Ask the server as a user does: 1.0 if it answers in time, else 0.0."""
    question = {"prompt": "ping", "max_tokens": 1, "stream": False}
    try:
        return float(requests.post(f"{os.environ[URL]}/v1/completions", json=question, timeout=patience_s).ok)
    except requests.RequestException:
        return 0.0


def queue_depth(after: float | None = 4) -> float | None:
    """Return 3 waiting requests, and ``after`` once a fault has acted (None or NaN: its series is gone)."""
    return after if State.acted else 3


def stopped(activity: str) -> bool:
    """Tell whether the server's process is stopped, or the process that continued it found it so (evidence of ``activity``)."""
    witness = Path(os.environ[WITNESS])
    seen = state_of_server() + (witness.read_text() if witness.exists() else "")
    return bool(active_run.require().targets_of(activity)) and STOPPED in seen


LONG_S, SOON_S = 8.0, 0.3


def state_of_server() -> str:
    """Return the state letter of the server's process."""
    return Path(f"/proc/{os.environ[PID]}/stat").read_text().rpartition(")")[2].split()[0]


def safeguard() -> tuple[str, str] | None:
    """Stop condition of this suite: who asks for the end of the run, and why."""
    return ("safeguard", "a safeguard says that users suffer too much") if State.tripped else None


def _trip() -> None:
    State.tripped = True
    if active_run.current() is None:
        exit_gracefully()  # what chaostoolkit-addons' safeguards do


def _platform() -> Platform:
    run = active_run.current()
    return run.platform if run else MemoryCluster().platform(target_for(os.environ[URL]))


def _begin(role: str, for_s: float) -> list[str]:
    """Note what will be done, and to what; return the targets' names."""
    run = active_run.current()
    if run is None:
        platform = _platform()
        return [pod_target(pod, "", "").name for pod in platform.pods(role)[:1]]
    targets = run.targets_of()
    for target in targets:
        run.journal.will_undo(
            fault_steps.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, lasts_s=for_s, self_ends=ENDS)
        )
    run.fault_starts(targets)
    return [target.name for target in targets]


def _stop_server(for_s: float) -> None:
    pid, witness = os.environ[PID], os.environ[WITNESS]
    os.kill(int(pid), signal.SIGSTOP)
    _later(for_s, f"cut -d' ' -f3 /proc/{pid}/stat >{witness}; kill -CONT {pid}")
    until(lambda: state_of_server() == STOPPED, 1.0, poll_s=0.005)
    State.acted = True


def _later(after_s: float, command: str) -> None:
    """Let a process of its own, which outlives this one and keeps none of its files open, carry out ``command``."""
    subprocess.run(["/bin/sh", "-c", f"(sleep {after_s}; {command}) </dev/null >/dev/null 2>&1 &"], check=True, start_new_session=True)
