"""A kubelet that is frozen on the embedded cluster: Kubernetes loses sight of it, its pods answer on, and it goes on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import faults.kubelets
import faults.nodes
from kube.client import Platform, ready
from probes import nodes
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import program_and_watchdog, programs, restored
from tests.integration.faults.test_faults import CONFIRM_S, unseen

Running = Callable[..., Any]
WORD = "kubelet-freeze"
alive = partial(nodes.silent_alive, role="inference")


def test_a_node_is_not_heard_of_its_pods_answer_and_its_watchdog_ends_it(running: Running, platform: Platform) -> None:
    with running(faults.kubelets.freeze, role="inference", for_s=25):
        assert not alive("act")
        faults.kubelets.freeze("inference", 25)
        program, watchdog = program_and_watchdog(WORD)
        wait_for(lambda: alive("act"), "it is not heard of, and its pods answer", CONFIRM_S)
        assert not nodes.powered_off("act")
        os.kill(program, signal.SIGKILL)
        assert watchdog in programs(WORD)
        wait_for(lambda: unseen(nodes.silent), "its kubelet speaks again", 60)
        wait_for(lambda: all(ready(node) for node in platform.nodes()), "every node is Ready", 60)
        wait_for(lambda: not programs(WORD), "its watchdog has ended", 30)
        wait_for(restored, "its kubelet has ended the fault pod", 90)


def test_one_that_does_nothing_and_a_node_without_power_are_not_taken_for_it(running: Running) -> None:
    with running(faults.kubelets.freeze, role="inference", for_s=5) as run:
        run.fault_starts(run.targets_of())
        assert not alive("act")
    with running(faults.nodes.power_off, role="inference", for_s=30):
        faults.nodes.power_off("inference", 30)
        wait_for(lambda: nodes.silent("act"), "it is not heard of", CONFIRM_S)
        assert not alive("act")
        faults.nodes.power_on()
