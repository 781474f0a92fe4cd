"""Two kinds of workload drive one run, one of which is known to this test alone: a new driver touches no phase, no judge, no reader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from bench.common.in_memory import carried_out, prepared
from bench.common.memory_cluster import MemoryCluster, target_for
from history.plan import Timers
from history.reader import read_run
from history.result import Check, RunVerdict, Verdict
from history.schema import EventKind
from history.workloads import Slo
from kube.client import Platform
from runner.drivers.driver import DRIVERS, known_drivers
from runner.experiment.experiment import Experiment, read_experiment
from runner.run.context import Context
from safety import active_run
from testing.load.load_runs import OUT_OF_REACH, scripted_server
from testing.runs.counter import CounterDriver, CounterPlan, stand_still
from testing.runs.phases import events
from testing.runs.runner_parts import EXPERIMENT, scripted
from verdict.case import Case
from verdict.inputs.recovery import fault_ns
from verdict.shared import registry
from verdict.shared.registry import Role, check
from verdict.shared.results import failed, passed

TIMERS = Timers(baseline_s=0.5, hold_s=1.0, confirm_s=5, deadline_s=20, heal_s=2)
LOAD = {"rate_rps": 60.0, "horizon_s": 60.0, **OUT_OF_REACH}
SLO = Slo(ratio=0.9, latency_ms=1000)
STILL_S, LONGEST_S = 5.0, 3.0


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of a counter, gone after the test."""
    monkeypatch.setattr(registry, "CHECKS", [*registry.CHECKS])

    @check(CounterDriver.kind, Role.OWN, title="Went on counting")
    def counting(case: Case) -> Check:
        """Check that the counter never stood still for longer than three seconds after the fault."""
        since_ns = fault_ns(case.run.plan, case.timeline) or 0
        gaps = case.run.ledgers["counter"].select("t_ns", gap=pl.col("t_ns").diff()).filter(pl.col("t_ns") >= since_ns)["gap"]
        longest_s = float(gaps.max() or 0) / 1e9  # type: ignore[arg-type]  # int64
        make = passed if longest_s <= LONGEST_S else failed
        return make("counting", f"It stood still for {longest_s:.1f} s at most.", measured=longest_s, budget=LONGEST_S, unit="s")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    scripted.clear()
    with scripted_server(tmp_path / "truth.json", [], "--clock", "start") as server:
        yield MemoryCluster().platform(target_for(server.url))


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    file = tmp_path / "experiments" / "pod-killed.yaml"
    file.parent.mkdir()
    file.write_text(EXPERIMENT.replace("availability: 97% over 15s", "availability: 50% over 1s"))
    return read_experiment(file, file.parent)


def driven(experiment: Experiment, platform: Platform, run_dir: Path, counter: CounterDriver) -> tuple[Context, RunVerdict]:
    context, before = prepared(experiment, platform, run_dir, load=LOAD, slo=SLO, timers=TIMERS, beside=[counter])
    return context, carried_out(context, before, [], beside=[counter])


def test_a_driver_is_known_by_its_folder_or_its_registration() -> None:
    assert {"requests", "training", "counter"} <= set(known_drivers())
    assert DRIVERS["counter"] is CounterDriver


@pytest.mark.quiet
@pytest.mark.usefixtures("judged")
def test_both_are_driven_watched_recorded_and_judged(experiment: Experiment, platform: Platform, tmp_path: Path) -> None:
    context, verdict = driven(experiment, platform, tmp_path / "run", CounterDriver())
    run = read_run(tmp_path / "run")
    assert [workload.kind for workload in run.plan.workloads] == ["requests", "counter"]
    assert isinstance(run.plan.workloads[1], CounterPlan)
    assert run.requests.height > 30
    assert run.ledgers["counter"].height > 20
    assert {file.name for file in (tmp_path / "run").rglob("*.jsonl")} == {"prompts.jsonl"}  # both are closed
    assert set(context.progress) == {"realtime-inference", "counting"}
    of = {one.name: one.workload for one in verdict.checks}
    assert (of["rto"], of["counting"], of["heal"]) == ("realtime-inference", "counting", "")
    assert sorted(of) == sorted(one.name for one in verdict.checks)  # what is of the whole run is judged once
    assert verdict.verdict is Verdict.PASS, verdict.sentence


@pytest.mark.quiet
@pytest.mark.usefixtures("judged")
def test_the_observation_waits_for_the_slower_one_and_its_failure_is_the_runs(
    experiment: Experiment, platform: Platform, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"

    def hit() -> dict[str, object]:
        threading.Thread(target=stand_still, args=(run_dir, STILL_S), daemon=True).start()
        return {"targets": [target.name for target in active_run.require().targets_of()]}

    scripted["kill"] = [hit]
    context, verdict = driven(experiment, platform, run_dir, CounterDriver())
    assert verdict.verdict is Verdict.FAIL, verdict.sentence
    assert verdict.sentence.startswith("counting: It stood still for ")
    began = context.log.t_fault_ns
    assert began is not None
    healed_ns = read_run(run_dir).first(EventKind.HEAL_START)
    assert healed_ns is not None
    assert healed_ns - began > (STILL_S + TIMERS.hold_s / 2) * 1e9


def test_one_that_ends_ends_the_run_and_the_other_is_drained(experiment: Experiment, platform: Platform, tmp_path: Path) -> None:
    context, verdict = driven(experiment, platform, tmp_path / "run", CounterDriver(last=3))
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "the counter ended at 3" in verdict.sentence
    assert [name for name, _ in events(context, EventKind.INSTRUMENT_DOWN)] == ["counting"]
    run = read_run(tmp_path / "run")
    assert run.requests["outcome"].unique().to_list() == ["ok"]  # every request that was sent has its end
    assert run.first(EventKind.LOAD_STOP) is not None
