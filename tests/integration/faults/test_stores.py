"""Object stores that answer badly and volumes that take nothing: met by everybody but the kubelet, ended whoever is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import faults.disks
import faults.network
import faults.object_store
from kube.client import ready
from probes import disks, object_store
from safety import active_run
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import program_and_watchdog, programs
from tests.integration.faults.test_faults import CONFIRM_S, seen, unseen

Running = Callable[..., Any]
FOR_S = 25
late = partial(object_store.late, latency_ms=900)
hiding = partial(object_store.hiding, bucket="training")
read_only = partial(disks.read_only, role="storage", volume="data")


def met(evidence: Callable[[str], bool]) -> None:
    wait_for(lambda: seen(evidence), "the fault is met", CONFIRM_S)
    platform = active_run.require().platform
    assert all(ready(pod) for pod in platform.pods("storage"))  # its kubelet is answered as ever


def over(evidence: Callable[[str], bool], word: str) -> None:
    wait_for(lambda: unseen(evidence), "it is over", CONFIRM_S)
    wait_for(lambda: not programs(word), "its program and its watchdog have ended", 30)


def test_a_storm_of_503_is_met_and_taken_away(running: Running) -> None:
    with running(faults.object_store.refuse_requests, role="storage", for_s=120, percent=60):
        assert not object_store.refusing("act")
        faults.object_store.refuse_requests("storage", 120, 60)
        met(object_store.refusing)
        faults.network.restore()
        over(object_store.refusing, "refuse")


def test_a_storm_ends_by_the_kernel_although_everybody_was_killed(running: Running) -> None:
    with running(faults.object_store.refuse_requests, role="storage", for_s=FOR_S, percent=100):
        faults.object_store.refuse_requests("storage", FOR_S, 100)
        met(object_store.refusing)
        for pid in programs("refuse"):  # on the embedded cluster nodes are namespaces of this machine
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: _forbids("act"), "the store itself answers again", 2 * FOR_S)


def _forbids(activity: str) -> bool:
    """Tell whether the store itself answers: without credentials, 403."""
    return all(answer.status == 403 for answers in object_store.answers(activity, 3) for answer in answers)


@pytest.mark.parametrize(
    ("function", "words", "evidence", "command"),
    [(faults.object_store.delay_requests, {"latency_ms": 900}, late, "delay"), (faults.object_store.hide_objects, {}, hiding, "hide")],
)
def test_a_store_that_is_slow_or_lists_nothing(
    running: Running, function: Callable[..., Any], words: dict[str, Any], evidence: Callable[[str], bool], command: str
) -> None:
    with running(function, role="storage", for_s=FOR_S, **words):
        assert not evidence("act")
        function("storage", FOR_S, **words)
        met(evidence)
        over(evidence, command)  # its time is over


def test_a_read_only_volume_is_written_again_although_the_fault_pod_was_killed(running: Running) -> None:
    with running(faults.disks.make_read_only, role="storage", volume="data", for_s=FOR_S):
        assert not read_only("act")
        faults.disks.make_read_only("storage", "data", FOR_S)
        met(read_only)
        program, _ = program_and_watchdog("read-only")
        os.kill(program, signal.SIGKILL)
        over(read_only, "read-only")
