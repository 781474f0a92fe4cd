"""The definition of an outage on arrivals written by hand: one request every 10 ms, 99 % to be good, a hold of 10 s."""

from __future__ import annotations

import numpy as np
import pytest

from verdict.inputs.outages import Detected, Rule, find_outages
from verdict.statistics import arrivals_needed, bad_in_a_row

RULE = Rule(0.99, 10_000_000_000)
STEP_NS = 10_000_000
SECONDS = 40


def arrivals(*bad: tuple[float, float], every: int = 1, seconds: int = SECONDS) -> Detected:
    """Judge ``seconds`` of arrivals; those in [a, b) s are bad, every n-th of them."""
    t_ns = np.arange(seconds * 100) * STEP_NS
    good = np.ones(len(t_ns), dtype=np.bool_)
    for start, end in bad:
        good[round(start * 100) : round(end * 100) : every] = False
    return find_outages(t_ns, good, RULE, seconds * 1_000_000_000)


def spans(found: Detected) -> list[tuple[float, float | None]]:
    return [(span.start_ns / 1e9, None if span.end_ns is None else span.end_ns / 1e9) for span in found.outages]


def test_no_bad_request_no_outage() -> None:
    assert arrivals() == Detected((), 0)


def test_an_outage_runs_from_its_first_bad_arrival_to_the_first_good_one_after_its_last() -> None:
    assert spans(arrivals((1.0, 4.5))) == [(1.0, 4.5)]


def test_half_of_the_requests_failing_is_an_outage_too() -> None:
    assert spans(arrivals((1.0, 4.5), every=2)) == [(1.0, 4.49)]


@pytest.mark.parametrize("length", [0.03, 0.1, 1.0, 9.99])
def test_full_outages_from_three_requests_on(length: float) -> None:
    ((start_s, end_s),) = spans(arrivals((2.0, 2.0 + length)))
    assert start_s == 2.0
    assert end_s == pytest.approx(2.0 + length)


def test_two_failures_in_a_row_are_residue() -> None:
    assert arrivals((2.0, 2.02)) == Detected((), 2)


def test_single_failures_within_the_slo_are_residue() -> None:
    found = arrivals(*((float(s), s + 0.01) for s in range(2, 30, 2)))
    assert (spans(found), found.residue) == ([], 14)


def test_more_than_the_slo_allows_in_a_hold_is_an_outage() -> None:
    assert spans(arrivals((2.0, 7.0), every=40)) == [(2.0, 6.81)]  # 13 of 1,000, one at a time


def test_bad_arrivals_closer_than_the_hold_are_one_outage() -> None:
    assert spans(arrivals((1.0, 2.0), (9.0, 10.0))) == [(1.0, 10.0)]


def test_a_failure_that_the_hold_absorbs_does_not_prolong_the_outage() -> None:
    found = arrivals((1.0, 2.0), (5.0, 5.01))
    assert (spans(found), found.residue) == ([(1.0, 2.0)], 1)


def test_a_failure_too_soon_after_the_outage_is_part_of_it() -> None:
    assert spans(arrivals((1.0, 2.0), (2.5, 2.51))) == [(1.0, 2.51)]  # 1 of 51: not 99 % since 2.0 s


def test_a_relapse_after_a_hold_is_a_second_outage() -> None:
    assert spans(arrivals((1.0, 2.0), (13.0, 14.0))) == [(1.0, 2.0), (13.0, 14.0)]


def test_a_single_failure_before_the_outage_does_not_begin_it() -> None:
    found = arrivals((1.0, 1.01), (8.0, 10.0))
    assert (spans(found), found.residue) == ([(8.0, 10.0)], 1)


def test_an_outage_that_goes_on_has_no_end() -> None:
    (span,) = arrivals((30.0, 40.0)).outages
    assert (span.end_ns, span.held) == (None, False)


@pytest.mark.parametrize(("until_s", "held"), [(31, True), (30, False)])
def test_recovery_holds_if_it_was_watched_for_a_hold(until_s: int, held: bool) -> None:
    t_ns = np.arange(until_s * 100) * STEP_NS
    good = ~((t_ns >= 15_000_000_000) & (t_ns < 20_500_000_000))
    (span,) = find_outages(t_ns, good, RULE, until_s * 1_000_000_000).outages
    assert span.held is held


def test_many_failures_at_once_at_a_high_rate_are_no_outage_below_20_ms() -> None:
    t_ns = np.arange(40_000) * 500_000  # 2,000 requests/s
    good = np.ones(len(t_ns), dtype=np.bool_)
    good[4000:4030] = False  # 15 ms
    assert find_outages(t_ns, good, RULE, 20_000_000_000) == Detected((), 30)
    good[4000:4050] = False  # 25 ms
    assert len(find_outages(t_ns, good, RULE, 20_000_000_000).outages) == 1


def test_where_all_must_be_good_one_failure_is_an_outage() -> None:
    t_ns = np.arange(4000) * STEP_NS
    good = t_ns != 7_000_000_000
    (span,) = find_outages(t_ns, good, Rule(1.0, 10_000_000_000), 40_000_000_000).outages
    assert (span.start_ns, span.end_ns) == (7_000_000_000, 7_010_000_000)


def test_everything_bad_is_one_outage() -> None:
    found = arrivals((0.0, float(SECONDS)))
    assert [span.bad for span in found.outages] == [SECONDS * 100]


@pytest.mark.parametrize(("ratio", "needed", "row"), [(0.9, 29, 6), (0.95, 59, 5), (0.99, 299, 3), (0.999, 2995, 2), (1.0, 2995, 1)])
def test_how_much_data_a_ratio_needs(ratio: float, needed: int, row: int) -> None:
    assert (arrivals_needed(ratio), bad_in_a_row(ratio)) == (needed, row)
