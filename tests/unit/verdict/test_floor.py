"""No recovery is quicker than its floor; one that is says so, and changes no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.plan import Floor, write_plan
from history.reader import read_plan, read_run
from history.result import Measurement
from testing.histories.sample_plan import Scenario
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import NINE, ZONE_LOST
from testing.runs.real_sessions import Session, Suite, below_floor_in, judged_runs
from verdict import judge
from verdict.floor import is_below

FLOOR = Floor(capacity_rto_s=59.0, rto_s=58.0, timers="eviction alone takes 59 s")


def measured(name: str, value: float | None, *, censored: bool = False) -> Measurement:
    return Measurement(name=name, value=value, unit="s", censored=censored)


@pytest.mark.parametrize(
    "fine",
    [
        measured("full_capacity", 59.0),
        measured("full_capacity", 20.0, censored=True),  # it was not back when watching ended
        measured("full_capacity", 0.0),  # nothing was lost
        measured("full_capacity", None),
        measured("rto", 58.0),
        measured("readiness_rto", 3.0),  # it has no floor
    ],
)
def test_a_floor_that_holds(fine: Measurement) -> None:
    assert not is_below(FLOOR, fine)


def test_a_recovery_that_was_quicker_is_below_its_floor() -> None:
    assert is_below(FLOOR, measured("full_capacity", 58.9))
    assert is_below(FLOOR, measured("rto", 1.0))
    assert not is_below(None, measured("full_capacity", 1.0))
    assert not is_below(FLOOR.model_copy(update={"rto_s": None}), measured("rto", 1.0))


@pytest.mark.parametrize("scenario", NINE, ids=lambda scenario: scenario.id)
def test_it_holds_in_every_sample_run(scenario: Scenario, tmp_path: Path) -> None:
    assert below_floor_in(write_run(tmp_path, scenario)) == []


def test_a_stored_run_below_its_floor_is_found_among_a_suites_sessions_and_its_verdict_stays(tmp_path: Path) -> None:
    run = write_run(tmp_path / "out" / "runs", ZONE_LOST)
    before = judge(read_run(run)).verdict
    suite = Suite(tmp_path, sessions=[Session(process=None, out=tmp_path / "out", log=tmp_path / "log")])  # type: ignore[arg-type]  # it has ended
    assert judged_runs(tmp_path / "out") == [run]
    assert suite.below_floor() == []
    plan = read_plan(run)
    assert plan.floor is not None
    write_plan(plan.model_copy(update={"floor": plan.floor.model_copy(update={"capacity_rto_s": 600.0})}), run)
    [said] = suite.below_floor()
    assert "quicker than its floor of 10 min" in said
    assert said.endswith(f": {plan.floor.sentence}; look which of these timers is another")
    assert judge(read_run(run)).verdict == before
