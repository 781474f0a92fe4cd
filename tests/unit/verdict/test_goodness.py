"""When one attempt is good: one row, one field changed at a time."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from history.schema import REQUESTS
from history.workloads import Slo
from verdict.inputs.goodness import acknowledged, answered_right, felt_latency_ms, good_request

SLO = Slo(ratio=0.99, latency_ms=250, ttft_ms=100, max_gap_ms=50)
T0 = 1_790_000_000_000_000_000
ROW: dict[str, object] = dict.fromkeys(REQUESTS, None) | {
    "request_id": 1,
    "attempt": 0,
    "intended_ns": T0,
    "sent_ns": T0 + 200_000_000,
    "first_byte_ns": T0 + 60_000_000,
    "done_ns": T0 + 250_000_000,
    "outcome": "ok",
    "valid": True,
    "complete": True,
    "status": 200,
}


def judged(expression: pl.Expr, **changes: object) -> Any:
    return pl.DataFrame([ROW | changes], schema=REQUESTS).select(expression).item()


def good(stream: bool = False, **changes: object) -> bool:
    return bool(judged(good_request(pl.lit(stream), SLO), **changes))


def test_a_right_answer_within_the_slo_is_good_however_late_it_was_sent() -> None:
    assert good()


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "fail"},
        {"outcome": "unknown"},
        {"outcome": None},
        {"valid": False},
        {"complete": False},
        {"complete": None},
        {"status": 503},
        {"status": 302},
        {"status": None},
        {"done_ns": T0 + 250_000_001},
        {"done_ns": None},
        {"intended_ns": None},
    ],
    ids=str,
)
def test_what_is_wrong_late_or_missing_is_not_good(change: dict[str, object]) -> None:
    assert not good(**change)


def test_an_answer_that_nobody_could_check_is_served() -> None:
    assert good(valid=None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"max_gap_ms": 50.0}, True),
        ({"max_gap_ms": 50.0, "done_ns": T0 + 9_000_000_000}, True),
        ({"max_gap_ms": 50.1}, False),
        ({"max_gap_ms": None}, False),
        ({"max_gap_ms": float("nan")}, False),
        ({"max_gap_ms": 1.0, "first_byte_ns": T0 + 100_000_001}, False),
        ({"max_gap_ms": 1.0, "first_byte_ns": None}, False),
        ({"max_gap_ms": 1.0, "complete": False}, False),
    ],
    ids=str,
)
def test_a_stream_is_judged_by_its_first_token_and_its_gaps(change: dict[str, object], expected: bool) -> None:
    assert good(stream=True, **change) is expected


def test_without_limits_of_its_own_a_stream_is_judged_by_its_last_byte() -> None:
    plain = Slo(ratio=0.99, latency_ms=250)
    assert judged(good_request(pl.lit(value=True), plain))
    assert not judged(good_request(pl.lit(value=True), plain), done_ns=T0 + 251_000_000)


def test_latency_counts_from_when_the_user_asked() -> None:
    assert judged(felt_latency_ms(pl.lit(value=False), SLO)) == 250.0
    assert judged(felt_latency_ms(pl.lit(value=True), SLO)) == 60.0


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, True),
        ({"status": 500}, False),
        ({"complete": False}, False),
        ({"complete": None}, False),
        ({"status": None}, False),
        ({"outcome": "fail"}, False),
        ({"outcome": "unknown"}, False),
        ({"outcome": None}, False),
    ],
    ids=str,
)
def test_only_a_complete_answer_of_2xx_that_can_be_read_is_acknowledged(change: dict[str, object], known: bool) -> None:
    assert judged(acknowledged(), **change) is known


def test_a_wrong_answer_is_acknowledged_and_not_right() -> None:
    assert judged(acknowledged(), valid=False)
    assert not judged(answered_right(), valid=False)
    assert judged(answered_right(), done_ns=T0 + 9_000_000_000)
