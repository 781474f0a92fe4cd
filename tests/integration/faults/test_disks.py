"""Volumes that are full, failing or slow: met from inside their pod, by nobody else, and ended whoever is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import faults.disks
from faults.node_agent.fuse import PROGRAM
from history.errors import FaultFailed
from kube.container_exec import output_of
from probes import disks
from safety import active_run
from tests.integration.faults.test_fault_pods import program_and_watchdog, programs
from tests.integration.faults.test_stores import FOR_S, met, over

Running = Callable[..., Any]
ALL = {"role": "storage", "volume": "data"}
PART = ALL | {"folder": "objects/training"}  # the server works in objects/: what is mounted over that, it does not meet
LOOK = "cat /data/objects/training/seen 2>/dev/null; cat /proc/self/mountinfo"
HARMS = [
    ("disk-full", faults.disks.fill_disk, {}, partial(disks.full, **PART)),
    ("disk-fail", faults.disks.fail_disk, {"percent": 40}, partial(disks.failing, **PART)),
    ("disk-slow", faults.disks.slow_disk, {"latency_ms": 700}, partial(disks.slow, **PART, latency_ms=700)),
]


def servers() -> list[int]:
    """Return the processes of this machine that serve a folder: on the embedded cluster nodes are namespaces of it."""
    found = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(entry.name) for entry in found if _named(entry)]


def _named(entry: Path) -> bool:
    try:
        return (entry / "cmdline").read_bytes().split(b"\0")[0] == PROGRAM.encode()
    except OSError:
        return False


def in_pod(line: str) -> str:
    [target] = active_run.require().targets_of("act")
    return output_of(active_run.require().platform, target.name, "ml-training", "s3", ["sh", "-c", line])


@pytest.mark.parametrize(("word", "function", "more", "evidence"), HARMS)
def test_it_is_met_ends_by_itself_and_leaves_nothing(
    running: Running, word: str, function: Callable[..., Any], more: dict[str, Any], evidence: Callable[[str], bool]
) -> None:
    with running(function, **PART, for_s=FOR_S, **more):
        assert not evidence("act")
        function(**PART, for_s=FOR_S, **more)
        met(evidence)
        over(evidence, word)
        assert "fuse.aftershock" not in in_pod(LOOK)
    assert not servers()


def test_it_ends_when_its_program_is_killed_and_the_folder_answers_again(running: Running) -> None:
    full = partial(disks.full, **PART)
    with running(faults.disks.fill_disk, **PART, for_s=120):
        faults.disks.fill_disk(**PART, for_s=120)
        met(full)
        [server] = servers()
        os.kill(server, signal.SIGKILL)
        over(full, "disk-full")
        assert "fuse.aftershock" not in in_pod(LOOK)
        assert in_pod("ls /data/objects/training >/dev/null && echo answered") == "answered\n"  # and not ENOTCONN


def test_it_ends_although_the_fault_pod_was_killed_and_what_is_open_reaches_the_disk(running: Running) -> None:
    full = partial(disks.full, **PART)
    seen = "/data/objects/training/.aftershock-seen"
    with running(faults.disks.fill_disk, **PART, for_s=FOR_S):
        in_pod(f"printf 12345678 >{seen}")
        faults.disks.fill_disk(**PART, for_s=FOR_S)
        met(full)
        writer = (
            f"exec 3<>{seen}; while grep -q 'training.*fuse.aftershock' /proc/self/mountinfo; do sleep 0.2; done; printf abcdefghij >&3"
        )
        in_pod(f"({writer}) >/dev/null 2>&1 </dev/null &")  # opened through it, written to when it is gone
        program, _ = program_and_watchdog("disk-full")
        os.kill(program, signal.SIGKILL)
        over(full, "disk-full")
        assert in_pod(f"until grep -q abcdefghij {seen}; do sleep 0.1; done; rm {seen}; echo found") == "found\n"
    assert not programs("disk-full")


def test_a_folder_in_which_the_server_works_is_refused(running: Running) -> None:
    with running(faults.disks.fill_disk, **ALL, for_s=FOR_S):
        with pytest.raises(FaultFailed, match=r"works in /data/objects: .* name a folder below /data/objects"):
            faults.disks.fill_disk(**ALL, for_s=FOR_S)
        assert not servers()
