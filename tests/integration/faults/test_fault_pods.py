"""Fault pods on the embedded cluster: they act, end by themselves, and whatever becomes of them, nothing outlives its deadline."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faults.network
import faults.nodes
from history.errors import UndoFailed
from kube.client import Platform, ready
from probes import network, nodes
from safety.active_run import ActiveRun
from safety.undo_journal import UndoKind
from testing.waiting import wait_for
from tests.integration.faults.test_faults import CONFIRM_S, confirmed, denied, unseen

Running = Callable[..., Any]


def fault_pod(run: ActiveRun) -> str:
    [entry] = [one for one in run.journal.entries() if one.kind is UndoKind.DELETE_POD]
    return entry.object


def programs(word: str) -> list[int]:
    """Return the processes of this machine that run the fault pod's program (its watchdog too) with ``word`` among their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if b"faults.node_agent.main" in words and word.encode() in words:
            found.append(int(entry.name))
    return sorted(found)


def test_a_replica_that_is_cut_off(running: Running) -> None:
    with running(faults.network.isolate, role="inference", for_s=60) as run:
        denied(network.out_of_reach)
        faults.network.isolate("inference", 60)
        confirmed(network.out_of_reach)
        (target,) = run.targets_of()
        assert ready(run.platform.pod(target.name, target.namespace or ""))  # its kubelet reaches it
        faults.network.restore()
        wait_for(lambda: unseen(network.out_of_reach), "it answers again", CONFIRM_S)
        wait_for(lambda: not programs("isolate"), "its program and its watchdog have ended", 30)


def test_a_cut_ends_by_itself_although_its_pod_and_its_watchdog_were_killed(running: Running) -> None:
    with running(faults.network.isolate, role="gateway", for_s=20):
        faults.network.isolate("gateway", 20)
        acted_s = time.monotonic()
        for pid in programs("isolate"):  # on the embedded cluster nodes are namespaces of this machine
            os.kill(pid, signal.SIGKILL)
        confirmed(network.out_of_reach)
        wait_for(lambda: unseen(network.out_of_reach), "the kernel forgets the cut", 60)
        assert time.monotonic() - acted_s > 18  # not before its time: the kernel did it, nobody else was left
        assert not programs("isolate")  # killed above


def test_a_frozen_kubelet_goes_on_although_the_fault_pod_was_killed(running: Running, platform: Platform) -> None:
    with running(faults.nodes.silence, role="decoy", for_s=20):
        denied(nodes.powered_off)
        faults.nodes.silence("decoy", 20)
        program, watchdog = program_and_watchdog("silence")
        confirmed(nodes.powered_off)
        os.kill(program, signal.SIGKILL)
        assert watchdog in programs("silence")  # it stands outside the pod's control groups
        wait_for(lambda: unseen(nodes.powered_off), "its kubelet speaks again", 60)
        wait_for(lambda: all(ready(node) for node in platform.nodes()), "every node is Ready", 60)
        wait_for(lambda: not programs("silence"), "its watchdog has ended", 30)
        wait_for(restored, "its kubelet has ended the fault pod", 90)


def restored() -> bool:
    """Remove the fault pod; a kubelet that was frozen takes its time."""
    try:
        faults.network.restore()
    except UndoFailed:
        return False
    return True


def program_and_watchdog(word: str) -> tuple[int, int]:
    """Return both: the watchdog leads a session of its own."""
    found = programs(word)
    leaders = [pid for pid in found if os.getsid(pid) == pid]
    watchdogs = [pid for pid in leaders if _parent(pid) in found]
    (watchdog,) = watchdogs
    (program,) = [pid for pid in found if pid != watchdog]
    return program, watchdog


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_cut_that_does_nothing_is_noticed(running: Running) -> None:
    with running(faults.network.isolate, role="gateway", for_s=5) as run:
        run.fault_starts(run.targets_of())
        denied(network.out_of_reach)
    with running(faults.nodes.silence, role="decoy", for_s=5) as run:
        run.fault_starts(run.targets_of())
        denied(nodes.powered_off)
