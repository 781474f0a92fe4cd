"""Definitions that can't drift, numbers as people read them, and the standing of a run that still goes on."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.schema import EventKind
from tests.support.edits import at, drop_events
from tests.support.truth import Hit
from tests.unit.verdict.conftest import HIT, run_of
from verdict import definitions, judge, standing
from verdict.words import count, listed, percent, plain, seconds


def test_everything_measured_is_defined_once_with_its_unit_and_source() -> None:
    texts = dict(definitions())
    found = judge(run_of(HIT)).measurements
    assert len(texts) == len(definitions())
    assert {f"check {check.name}" for check in judge(run_of(HIT)).checks} <= set(texts)
    for measurement in found:
        assert texts[measurement.name].endswith(f"Unit: {measurement.unit}.")
        assert "Source:" in texts[measurement.name] or "p95" in measurement.name
    assert {"good request", "arrival", "user-visible outage", "clock error", "outage", "check rto"} <= set(texts)


def test_definitions_are_prose() -> None:
    for name, text in definitions():
        assert "Args" not in text, name
        assert "\n " not in text, name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.034, "34 ms"),
        (0.42, "0.42 s"),
        (3.4213, "3.42 s"),
        (94.12, "94.1 s"),
        (1234.5, "1,234 s"),
        (-3.8, "-3.80 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(60, "60 s"), (0.5, "0.5 s"), (3600, "3,600 s"), (90.5, "90.5 s")])
def test_budgets_are_shown_as_they_were_written(value: float, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.873, "87.3 %"), (0.99, "99 %"), (0.9995, "99.95 %"), (0.999996, "99.9996 %"), (0.99999999, "99.9999 %"), (1, "100 %")],
)
def test_a_share_below_one_is_never_shown_as_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts_and_lists() -> None:
    assert (count(1, "request"), count(1234, "request"), count(2, "was", "were")) == ("1 request", "1,234 requests", "2 were")
    assert (listed([]), listed(["a"]), listed("abc"), listed("abcdefg")) == ("none", "a", "a, b and c", "a, b, c, d and 3 more")


def live(until_s: float, run: Run) -> Run:
    """Return what was recorded of ``run`` until then."""
    until = pl.col("t_ns") <= at(until_s)
    known = replace(
        run,
        requests=run.requests.filter(pl.col("done_ns") <= at(until_s)),
        events=run.events.filter(until),
        samples=run.samples.filter(until),
    )
    return drop_events(known, EventKind.LOAD_STOP, EventKind.LOAD_AUDIT, EventKind.HEAL_START, EventKind.HEAL_END)


@pytest.mark.parametrize(
    ("now_s", "outages", "held"),
    [(1.0, 0, False), (2.5, 1, False), (5.0, 1, False), (13.0, 1, False), (14.6, 1, True), (16.0, 1, True)],
)
def test_the_standing_of_a_run_that_goes_on(now_s: float, outages: int, held: bool) -> None:
    found = standing(live(now_s, run_of(HIT)), at(now_s - HIT.timeout_s))
    assert (found.outages, found.held) == (outages, held)
    assert (found.recovered_s is not None) is held


def test_a_run_without_impact_stands_once_it_was_watched_for_a_hold() -> None:
    quiet = run_of(replace(HIT, hits=(), watched_s=20.0))
    assert [standing(live(now_s, quiet), at(now_s - 1)).held for now_s in (5.0, 11.4, 11.6, 12.0)] == [False, False, True, True]


def test_requests_that_still_wait_are_not_bad_yet() -> None:
    waiting = run_of(replace(HIT, hits=(Hit(14.0, 3.0, kind="hang"),), watched_s=20.0))
    assert standing(live(14.5, waiting), at(13.5)).outages == 0


def test_before_the_fault_nothing_stands() -> None:
    found = standing(live(-5.0, run_of(HIT)), at(-6.0))
    assert (found.held, found.recovered_s, found.arrivals_needed) == (False, None, 299)
