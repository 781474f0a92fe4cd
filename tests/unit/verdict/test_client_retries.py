"""What a client with two retries would have had, on runs whose outage is known from how they were made."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.workloads import Retry
from testing.histories.truth import FAULT_NS, Hit, World
from tests.unit.verdict.conftest import measured
from tests.unit.verdict.conftest import run_of as run

REFUSED_S = 0.002  # until a refused request failed
STEP_S = 0.01  # between two arrivals


def outage(seconds: float) -> World:
    return World(hits=(Hit(0.195, seconds),), arrivals="constant", spikes=0.0)  # arrivals at 0.20, 0.21 …


def saved(run: Run) -> float:
    found = measured(run, "requests_saved_by_retries").value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("lasts_s", "unsaved"),
    [
        (0.4, 0),  # the first retry comes after it
        (1.5, 0),  # the second does, 1.5 s and two failures later
        (3.0, round((3.0 - 1.5) / STEP_S)),  # whoever asked earlier than 1.5 s before its end fails three times
    ],
)
def test_retries_save_who_asked_within_a_second_and_a_half_of_the_end(lasts_s: float, unsaved: int) -> None:
    recorded = run(outage(lasts_s))
    bad = round(lasts_s / STEP_S)
    assert measured(recorded, "requests_bad").value == bad
    assert saved(recorded) == pytest.approx(bad - unsaved, abs=1)
    share, alone = measured(recorded, "availability_with_retries").value, measured(recorded, "availability").value
    assert share is not None
    assert alone is not None
    assert share > alone
    assert share == pytest.approx(1 - unsaved / (bad / (1 - alone)), abs=1e-3)


def hit(recorded: Run, **columns: pl.Expr) -> Run:
    bad = (pl.col("outcome") == "fail") & (pl.col("intended_ns") >= FAULT_NS)
    changed = {name: pl.when(bad).then(value).otherwise(name) for name, value in columns.items()}
    return replace(recorded, requests=recorded.requests.with_columns(**changed))


@pytest.mark.parametrize(
    ("status", "again"), [(429, True), (408, True), (503, True), (None, True), (404, False), (400, False), (200, False)]
)
def test_what_is_no_use_to_ask_again_is_not_asked_again(status: int | None, again: bool) -> None:
    assert (saved(hit(run(outage(0.4)), status=pl.lit(status, pl.Int16()))) > 0) is again


def test_a_slow_failure_is_asked_again_later() -> None:
    slow = hit(run(outage(0.4)), done_ns=pl.col("intended_ns") + 60_000_000_000)
    assert saved(slow) == 0  # a minute later nobody asked any more


def test_a_load_that_retries_itself_is_not_given_more() -> None:
    recorded = run(outage(0.4))
    first = recorded.plan.requests
    load = first.load.model_copy(update={"retry": Retry(policy="naive", max_attempts=2)})
    plan = recorded.plan.model_copy(update={"workloads": (first.model_copy(update={"load": load}),)})
    found = measured(replace(recorded, plan=plan), "availability_with_retries")
    assert (found.value, found.sentence) == (None, "the load retried by itself: see availability and attempt_availability")
