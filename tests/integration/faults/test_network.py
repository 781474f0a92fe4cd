"""A lossy network of a pod on the embedded cluster: its kernel sends again, it still answers, nobody else is met, and it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import faults.network
from kube.client import ready
from probes import network
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import programs
from tests.integration.faults.test_faults import CONFIRM_S, confirmed, seen, unseen

Running = Callable[..., Any]
PERCENT = 30
WORD = "packet-loss"
lossy = partial(network.packets_lost, role="inference", percent=PERCENT)


def test_packets_are_lost_the_pod_stays_ready_and_it_is_taken_away(running: Running) -> None:
    with running(faults.network.lose_packets, role="inference", for_s=120, percent=PERCENT) as run:
        assert not lossy("act")
        faults.network.lose_packets("inference", 120, PERCENT)
        wait_for(lambda: seen(lossy), "its kernel sends again, and it answers", CONFIRM_S)
        assert all(ready(pod) for pod in run.platform.pods("inference"))  # its own node reaches it
        faults.network.restore()
        wait_for(lambda: unseen(lossy), "nothing is sent again", CONFIRM_S)
        wait_for(lambda: not programs(WORD), "its program and its watchdog have ended", 30)


def test_the_kernel_ends_it_although_its_pod_and_its_watchdog_were_killed(running: Running) -> None:
    with running(faults.network.lose_packets, role="inference", for_s=30, percent=PERCENT):
        faults.network.lose_packets("inference", 30, PERCENT)
        for pid in programs(WORD):  # on the embedded cluster nodes are namespaces of this machine
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: seen(lossy), "its kernel sends again, and it answers", 25)
        wait_for(lambda: unseen(lossy), "the kernel forgets the loss", 60)
        assert not programs(WORD)


def test_one_that_does_nothing_and_a_cut_of_everything_are_not_taken_for_it(running: Running) -> None:
    with running(faults.network.lose_packets, role="inference", for_s=5, percent=PERCENT) as run:
        run.fault_starts(run.targets_of())
        assert not lossy("act")
    with running(faults.network.isolate, role="inference", for_s=60):
        faults.network.isolate("inference", 60)
        confirmed(network.out_of_reach)
        assert not lossy("act")
