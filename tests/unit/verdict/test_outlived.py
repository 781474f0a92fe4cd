"""How long the state that a fault brought about outlived it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from history.result import Measurement
from history.schema import EventKind
from testing.histories.edits import add_event, with_plan
from testing.histories.truth import Hit
from tests.unit.verdict.conftest import HIT, NULL, measured, run_of


def outlived(hit_s: float, lasted_s: float, **world: Any) -> Measurement:
    run = run_of(replace(HIT, hits=(Hit(0.2, hit_s),), **world))
    return measured(with_plan(run, timers=run.plan.timers.model_copy(update={"fault_s": lasted_s})), "outlived")


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


@pytest.mark.parametrize("later_s", [0.1, 20.0])
def test_of_several_faults_nobody_knows_which_was_over_when(later_s: float) -> None:
    run = run_of(replace(HIT, hits=(Hit(0.2, 40.0),)))
    run = with_plan(run, timers=run.plan.timers.model_copy(update={"fault_s": 15.0}))
    assert measured(run, "outlived").value == pytest.approx(25.2, abs=0.3)
    found = measured(add_event(run, later_s, EventKind.FAULT_START, "second", targets=["inference-a"]), "outlived")
    assert (found.value, found.censored) == (None, False)
    assert found.sentence.startswith("several faults began")
