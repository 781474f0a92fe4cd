"""DNS that fails pods on the embedded cluster: met from inside, by nobody else, told from a full cut, and ended whoever is left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import faults.dns
import faults.network
from history.plan import ResolvedTarget
from kube.client import ready
from kube.container_exec import output_of
from probes import network
from safety.active_run import ActiveRun
from testing.waiting import wait_for
from tests.integration.faults.test_fault_pods import programs
from tests.integration.faults.test_faults import CONFIRM_S, confirmed, unseen

Running = Callable[..., Any]
silent = partial(network.dns_fails, role="gateway", how="silent")
servfail = partial(network.dns_fails, role="gateway", how="servfail")
LOOK_UP = "timeout 2 getent hosts inference-vip.ml-serving.svc.cluster.local | cut -d' ' -f1"


def looked_up(run: ActiveRun, target: ResolvedTarget) -> str:
    return output_of(run.platform, target.name, "ml-serving", "gateway", ["sh", "-c", LOOK_UP]).strip()


def met(evidence: Callable[[str], bool]) -> None:
    wait_for(lambda: evidence("act"), "DNS fails", CONFIRM_S)


def test_silence_is_met_by_its_targets_alone_and_ends_by_itself(running: Running) -> None:
    with running(faults.dns.fail, role="gateway", for_s=25, count=2) as run:
        assert not silent("act")
        assert all(looked_up(run, target) for target in run.targets_of())
        faults.dns.fail("gateway", 25, count=2)
        met(silent)
        assert not servfail("act")
        hit = {target.name for target in run.targets_of()}
        assert all(not looked_up(run, target) for target in run.targets_of())
        [spared] = [pod for pod in run.platform.pods("gateway") if pod.metadata.name not in hit]
        assert output_of(run.platform, spared.metadata.name, "ml-serving", "gateway", ["sh", "-c", LOOK_UP]).strip()
        assert all(ready(pod) for pod in run.platform.pods("gateway"))  # they serve on
        wait_for(lambda: unseen(silent), "DNS answers again", CONFIRM_S)
        assert all(looked_up(run, target) for target in run.targets_of())
        wait_for(lambda: not programs("dns-fail"), "its programs and watchdogs have ended", 30)


@pytest.mark.parametrize(("how", "evidence"), [("silent", silent), ("servfail", servfail)])
def test_it_is_taken_away(running: Running, how: str, evidence: Callable[[str], bool]) -> None:
    with running(faults.dns.fail, role="gateway", for_s=120, how=how):
        assert not evidence("act")
        faults.dns.fail("gateway", 120, how)
        met(evidence)
        assert not {"silent": servfail, "servfail": silent}[how]("act")
        faults.network.restore()
        wait_for(lambda: unseen(evidence), "DNS answers again", CONFIRM_S)
        wait_for(lambda: not programs("dns-fail"), "its program and its watchdog have ended", 30)


def test_the_kernel_ends_it_although_its_pod_and_its_watchdog_were_killed(running: Running) -> None:
    with running(faults.dns.fail, role="gateway", for_s=20):
        faults.dns.fail("gateway", 20)
        acted_s = time.monotonic()
        for pid in programs("dns-fail"):  # on the embedded cluster nodes are namespaces of this machine
            os.kill(pid, signal.SIGKILL)
        met(silent)
        wait_for(lambda: unseen(silent), "the kernel forgets the silence", 60)
        assert time.monotonic() - acted_s > 17  # not before its time
        assert not programs("dns-fail")


def test_one_that_does_nothing_is_noticed(running: Running) -> None:
    with running(faults.dns.fail, role="gateway", for_s=5) as run:
        run.fault_starts(run.targets_of())
        assert not silent("act")
        assert not servfail("act")


def test_a_cut_of_everything_is_not_taken_for_it(running: Running) -> None:
    with running(faults.network.isolate, role="gateway", for_s=60):
        faults.network.isolate("gateway", 60)
        confirmed(network.out_of_reach)
        assert not silent("act")
        assert not servfail("act")
