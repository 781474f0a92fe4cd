"""How long the state that a fault brought about outlived it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from history.reader import Run
from history.result import Measurement
from history.schema import EventKind
from testing.histories.edits import add_event, drop_events, with_plan
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import HIT, NULL, measured, run_of

LONG = replace(HIT, hits=(Hit(0.2, 40.0),))


def outlived(hit_s: float, lasted_s: float, **world: Any) -> Measurement:
    run = run_of(replace(HIT, hits=(Hit(0.2, hit_s),), **world))
    return measured(drop_events(lasting(run, lasted_s), EventKind.FAULT_END), "outlived")


def lasting(run: Run, lasted_s: float) -> Run:
    """Return ``run`` with a fault that was planned to last for so long."""
    return with_plan(run, timers={"fault_s": lasted_s})


def test_it_is_what_of_the_rto_lies_beyond_the_faults_own_time() -> None:
    found = outlived(40.0, 15.0)
    assert found.value == pytest.approx(25.2, abs=0.3)
    assert found.sentence.startswith("bad then: ")


def test_users_who_are_served_before_the_fault_is_over_were_outlived_by_nothing() -> None:
    found = outlived(5.0, 15.0)
    assert (found.value, found.sentence) == (0.0, "")


def test_what_is_not_seen_to_be_over_is_a_lower_bound() -> None:
    found = outlived(60.0, 15.0, watched_s=30.0)
    assert found.censored
    assert found.value == pytest.approx(15.0, abs=0.5)


def test_a_fault_that_is_over_at_once_and_no_fault_have_none() -> None:
    assert outlived(5.0, 0.0).sentence == "no fault lasted for a time of its own"
    assert measured(run_of(NULL), "outlived").value is None
    assert measured(lasting(run_of(NULL), 5.0), "outlived").value in {None, 0.0}


@pytest.mark.parametrize(("ended_s", "outlived_s"), [(5.0, 35.2), (25.0, 15.2), (45.0, 0.0)])
def test_the_end_that_was_recorded_goes_before_the_one_that_was_planned(ended_s: float, outlived_s: float) -> None:
    run = lasting(drop_events(run_of(LONG), EventKind.FAULT_END), 15.0)
    found = measured(add_event(run, ended_s, EventKind.FAULT_END, "kill-replica", how="undone"), "outlived")
    assert found.value == pytest.approx(outlived_s, abs=0.3)


@pytest.mark.parametrize("later_s", [0.1, 20.0])
def test_of_several_faults_the_end_of_the_last_counts_if_it_was_recorded(later_s: float) -> None:
    run = add_event(lasting(run_of(LONG), 15.0), later_s, EventKind.FAULT_START, "second", targets=["inference-a"])
    found = measured(run, "outlived")
    assert (found.value, found.censored) == (None, False)
    assert found.sentence.startswith("several faults began")
    ended = add_event(run, 30.0, EventKind.FAULT_END, "second", how="by itself")
    assert measured(ended, "outlived").value == pytest.approx(10.2, abs=0.3)


def test_an_end_before_the_fault_began_is_no_longer_time_than_the_rto() -> None:
    run = lasting(drop_events(run_of(LONG), EventKind.FAULT_END), 15.0)
    found = measured(add_event(run, -5.0, EventKind.FAULT_END, "kill-replica", how="undone"), "outlived")
    assert found.value == pytest.approx(40.2, abs=0.3)
