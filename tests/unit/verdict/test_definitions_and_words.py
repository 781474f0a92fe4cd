"""Definitions that can't drift, and numbers as people read them."""

from __future__ import annotations

import pytest

from tests.unit.verdict.conftest import HIT, run_of
from verdict import definitions, judge
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
        (5e-9, "less than 1 µs"),
        (4e-5, "40 µs"),
        (0.0004, "0.4 ms"),
        (0.034, "34 ms"),
        (0.42, "420 ms"),
        (3.4213, "3.42 s"),
        (94.12, "94.1 s"),
        (1234.5, "20 min 34 s"),
        (-3.8, "−3.8 s"),
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
