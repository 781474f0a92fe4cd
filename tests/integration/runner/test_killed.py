"""Nothing is left broken: a run that is asked to end heals at once, a run that is killed is healed by what outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from history.errors import NoData
from history.reader import read_plan
from history.result import Verdict
from history.schema import EventKind
from kube.client import Platform, ready
from kube.container_exec import processes
from runner.cleanup.leftovers import find_leftovers
from safety.leases import DURATION_S
from safety.reaper_job import runs
from safety.undo import CORDONED_BY
from testing.platform.fake_cluster import ROOT
from testing.runs.patient import patient
from testing.runs.real_sessions import SESSION_S, Suite
from testing.standstill import standstill
from testing.waiting import wait_for

ACKNOWLEDGED_S = 5.0


def cordons(platform: Platform) -> set[str]:
    return {node.metadata.name for node in platform.nodes() if node.spec.unschedulable}


def heal() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runner", "heal"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(EventKind.LOAD_START, ""), (EventKind.FAULT_START, ""), (EventKind.PHASE, "observe")],
    ids=["baseline", "inject", "observe"],
)
def test_sigterm_heals_keeps_the_history_and_exits_with_an_error(suite: Suite, platform: Platform, kind: EventKind, name: str) -> None:
    patient(suite, "serving/node-drained")
    session = suite.start(own=True).until(kind, name)
    with standstill() as kept_waiting_s:
        asked_s = time.time()
        session.process.send_signal(signal.SIGTERM)
        wait_for(lambda: session.process.poll() is not None or session.events(EventKind.HEAL_START), "healing", SESSION_S)
        limit_s = asked_s + ACKNOWLEDGED_S + kept_waiting_s()
    assert session.end() == pytest.ExitCode.INTERRUPTED, session.said
    assert not cordons(platform)
    assert session.verdict.verdict is Verdict.INCONCLUSIVE
    assert not session.verdict.complete
    [healing_ns] = session.events(EventKind.HEAL_START)
    assert healing_ns / 1e9 < limit_s
    undone = session.events(EventKind.FAULT_END)
    assert bool(undone) == (kind is not EventKind.LOAD_START)
    assert all(t_ns / 1e9 < limit_s for t_ns in undone)
    assert "Traceback" not in session.said
    assert not find_leftovers(platform).journals
    assert not runs(platform)


def test_after_sigkill_machines_come_back_the_reaper_uncordons_and_heal_finds_the_rest(suite: Suite, platform: Platform) -> None:
    lose = {"type": "python", "module": "faults.zones", "func": "lose", "arguments": {"role": "inference", "for_s": 20}}
    suite.experiment("serving/zone-lost", method=[{"type": "action", "name": "lose-zone", "provider": lose}])
    session = suite.start(own=True).until(EventKind.FAULT_CONFIRMED, "zone-cordoned")
    lost = cordons(platform)
    assert len(lost) == 2
    session.kill()
    wait_for(lambda: not cordons(platform), "the reaper uncordons both nodes", DURATION_S + 60)
    assert not any(CORDONED_BY in (node.metadata.annotations or {}) for node in platform.nodes())
    wait_for(lambda: all(ready(node) for node in platform.nodes()), "the machines are back")
    first, second = heal(), heal()
    assert (first.returncode, second.returncode) == (0, 0), first.stdout + first.stderr
    assert "journal of run" in first.stdout
    assert second.stdout.startswith("nothing was left")


def test_after_sigkill_a_frozen_engine_goes_on_by_itself(suite: Suite, platform: Platform) -> None:
    session = suite.start("-k", "engine-frozen").until(EventKind.FAULT_CONFIRMED)
    [target] = [target for target in read_plan(session.run_dir).targets if target.kind == "Pod"]
    session.kill()

    def stopped() -> bool:
        try:
            found = processes(platform, target.name, target.namespace or "", "server")
        except NoData:
            return True  # its container is being restarted: not known yet
        return any("workloads.inference.engine" in process.command and process.state in {"T", "t"} for process in found)

    def over() -> bool:
        uids = {pod.metadata.uid for pod in platform.pods("inference")}
        return target.uid not in uids or not stopped()

    wait_for(over, "the engine goes on, or its container was restarted", 90)
    wait_for(lambda: not find_leftovers(platform).active, "its leases have expired", DURATION_S + 60)
    assert heal().returncode == 0
    assert not find_leftovers(platform).residues
