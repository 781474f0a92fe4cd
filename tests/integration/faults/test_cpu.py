"""A starved replica on the embedded cluster: the kernel says so, it ends by itself, and its pod is the same afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import faults.cpu
import faults.network
from probes import cpu
from safety.active_run import ActiveRun
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import program_and_watchdog, programs
from tests.integration.faults.test_faults import CONFIRM_S

Running = Callable[..., Any]
limited = partial(cpu.limited, role="inference", percent=20)


def restarts(run: ActiveRun) -> int:
    [target] = run.targets_of()
    return int(run.platform.pod(target.name, "ml-serving").status.container_statuses[0].restart_count)


def test_its_quota_is_lowered_and_written_back(running: Running) -> None:
    with running(faults.cpu.starve, role="inference", for_s=120, percent=20) as run:
        assert not limited("act")
        before = restarts(run)
        faults.cpu.starve("inference", 120, 20)
        wait_for(lambda: limited("act"), "its kernel lets it have 20 %", CONFIRM_S)
        faults.network.restore()
        wait_for(lambda: not limited("act"), "it has its quota again", CONFIRM_S)
        wait_for(lambda: not programs("cpu-limit"), "its program and its watchdog have ended", 30)
        assert restarts(run) == before


def test_the_watchdog_ends_it_although_its_fault_pod_was_killed(running: Running) -> None:
    with running(faults.cpu.starve, role="inference", for_s=15, percent=20):
        faults.cpu.starve("inference", 15, 20)
        program, watchdog = program_and_watchdog("cpu-limit")
        os.kill(program, signal.SIGKILL)
        assert watchdog in programs("cpu-limit")
        wait_for(lambda: limited("act"), "its kernel lets it have 20 %", CONFIRM_S)
        wait_for(lambda: not limited("act"), "its watchdog has written the old quota back", 60)
        wait_for(lambda: not programs("cpu-limit"), "its watchdog has ended", 30)


def test_one_that_does_nothing_is_noticed_and_one_without_work_is_not_starved(running: Running) -> None:
    with running(faults.cpu.starve, role="inference", for_s=5, percent=20) as run:
        run.fault_starts(run.targets_of())
        assert not limited("act")
        assert not cpu.starved("act", "inference", 20)
