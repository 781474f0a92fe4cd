"""A replica that runs out of memory on the embedded cluster: the kernel kills there, the kubelet says so, nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faults.memory
from probes import memory, processes
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import programs
from tests.integration.faults.test_faults import CONFIRM_S

Running = Callable[..., Any]


def killed_for_memory() -> bool:
    return memory.out_of_memory("act", "inference")


def test_its_engine_is_killed_and_the_memory_is_given_back(running: Running) -> None:
    with running(faults.memory.exhaust, role="inference", for_s=20):
        faults.memory.exhaust("inference", 20)
        wait_for(killed_for_memory, "the kubelet says OOMKilled", CONFIRM_S)
        assert processes.killed("act")
        wait_for(lambda: not programs("memory-eat"), "its program, what it started and its watchdog have ended", 60)


def test_one_that_does_nothing_is_noticed(running: Running) -> None:
    with running(faults.memory.exhaust, role="inference", for_s=5) as run:
        run.fault_starts(run.targets_of())
        assert not killed_for_memory()
