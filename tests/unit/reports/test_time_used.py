"""How much of a night's time was needed, and where the rest went."""

from __future__ import annotations

import pytest

from history.plan import Phase, Timers
from history.result import Measurement, RunVerdict, Verdict
from history.schema import EventKind
from reports.time_used import needed_s, spent_s, time_used
from verdict.inputs.timeline import Event, Timeline

S = 1_000_000_000


def verdict(**measured: float) -> RunVerdict:
    found = tuple(Measurement(name=name, unit="s", value=value) for name, value in measured.items())
    return RunVerdict(run_id="r", verdict=Verdict.PASS, sentence="", complete=True, checks=(), measurements=found)


def timers(watch_s: float) -> Timers:
    return Timers(baseline_s=20, hold_s=10, confirm_s=30, deadline_s=90, heal_s=60, watch_s=watch_s)


@pytest.mark.parametrize(
    ("measured", "watch_s", "right"),
    [
        ({}, 0, 30),
        ({}, 15, 35),
        ({"rto": 6}, 15, 36),
        ({"rto": 4, "full_capacity": 40}, 15, 60),
        ({"rto": 35, "full_capacity": 40}, 15, 65),
    ],
)
def test_a_run_needs_its_baseline_and_the_longest_of_recovery_with_a_hold_capacity_and_what_must_be_watched(
    measured: dict[str, float], watch_s: float, right: float
) -> None:
    assert needed_s(timers(watch_s), verdict(**measured), capacity=True) == right


def test_capacity_that_nobody_budgets_need_not_be_waited_for() -> None:
    assert needed_s(timers(0), verdict(rto=4, full_capacity=40), capacity=False) == 34


def test_a_phase_lasts_until_the_next_begins_and_a_baseline_that_is_retried_counts_twice() -> None:
    begun = [(Phase.BASELINE, 1), (Phase.BASELINE, 6), (Phase.OBSERVE, 10)]
    events = tuple(Event(at * S, EventKind.PHASE, phase.value, {}) for phase, at in begun)
    assert spent_s(Timeline({EventKind.PHASE.value: events}, 0), 25 * S) == {"baseline": 9, "observe": 15}


def test_what_no_phase_took_lies_between_runs() -> None:
    found = time_used([(30, {"baseline": 20, "heal": 5}), (30, {"baseline": 20})], 80)
    assert found is not None
    assert (found.efficiency, found.spent) == (0.75, {"baseline": 40, "heal": 5, "between runs": 35})
    assert found.sentence == "75 % of 80 s were needed (baseline 40 s, heal 5 s, between runs 35 s)"


@pytest.mark.parametrize(("runs", "took_s"), [([], 80.0), ([(30.0, {})], None), ([(30.0, {})], 0.0)])
def test_without_a_run_or_a_time_nothing_is_said(runs: list[tuple[float, dict[str, float]]], took_s: float | None) -> None:
    assert time_used(runs, took_s) is None
