"""What is told from noise, on numbers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nights.spread import LEAST_NIGHTS, Reading, Scale, Standing, judge, reading_of, scale_of, t_quantile

SEED = 20260101


def quiet(count: int, spread: float = 0.05, usual_s: float = 20.0) -> list[Reading]:
    rng = np.random.default_rng(SEED)
    return [Reading(float(value), 0.05) for value in usual_s * np.exp(rng.normal(0, spread, count))]


@pytest.mark.parametrize(("freedom", "error", "known"), [(4, 0.05, 2.1318), (9, 0.01, 2.8214), (29, 0.025, 2.0452), (1, 0.05, 6.3138)])
def test_quantiles_are_those_of_the_printed_tables(freedom: int, error: float, known: float) -> None:
    assert t_quantile(freedom, error) == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize(
    ("shift", "standing"),
    [(1.0, Standing.STEADY), (1.15, Standing.LOOK), (1.6, Standing.REGRESSED), (0.6, Standing.BETTER)],
)
def test_tonight_against_thirty_nights(shift: float, standing: Standing) -> None:
    found = judge(Reading(20.0 * shift, 0.05), quiet(30), comparisons=40)
    assert found.standing is standing, found
    assert found.usual == pytest.approx(20.0, rel=0.03)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.usual < found.high


def test_few_nights_say_nothing() -> None:
    assert judge(Reading(100.0), quiet(LEAST_NIGHTS - 1)).standing is Standing.UNKNOWN
    assert judge(Reading(100.0), quiet(LEAST_NIGHTS)).standing is not Standing.UNKNOWN


def test_what_the_recorded_intervals_allow_is_no_regression() -> None:
    same = [Reading(20.0, 2.0)] * 30  # no scatter at all, since it is read so coarsely
    assert judge(Reading(23.0, 2.0), same).standing is Standing.STEADY
    assert judge(Reading(23.0, 0.1), [Reading(20.0, 0.1)] * 30).standing is Standing.REGRESSED


def test_a_wide_interval_tonight_is_not_read_finer_than_it_is() -> None:
    assert judge(Reading(26.0, 4.0), [Reading(20.0 + i % 3 / 10, 0.1) for i in range(30)]).standing is Standing.STEADY


def test_a_slow_decline_is_found_by_the_mean_of_several_nights() -> None:
    every = quiet(38, 0.08)
    slower = [Reading(one.value * 1.2, one.uncertainty) for one in every[30:]]
    assert judge(slower[0], every[:30]).standing is not Standing.REGRESSED
    found = judge(slower[-1], [*every[:30], *slower[:-1]])
    assert found.standing is Standing.REGRESSED
    assert found.over > 1


def test_a_lower_bound_is_never_better() -> None:
    assert judge(Reading(5.0, 0.05, censored=True), quiet(30)).standing is Standing.STEADY


def test_the_smaller_side_is_the_worse_one_where_a_budget_is_at_least() -> None:
    before = [Reading(0.99 + i % 5 / 1000) for i in range(30)]
    assert judge(Reading(0.9), before, duration=False, worse_is_larger=False).standing is Standing.REGRESSED
    assert judge(Reading(0.9), before, duration=False).standing is Standing.BETTER


def test_more_comparisons_take_more_to_be_a_regression_and_not_to_be_worth_a_look() -> None:
    tonight = Reading(20.0 * 1.15, 0.05)
    assert judge(tonight, quiet(30), comparisons=1).standing is Standing.REGRESSED
    assert judge(tonight, quiet(30), comparisons=40).standing is Standing.LOOK


def test_nights_without_any_outage_can_be_compared() -> None:
    none = [Reading(0.0, 0.05)] * 30
    assert judge(Reading(0.0, 0.05), none).standing is Standing.STEADY
    assert judge(Reading(3.0, 0.05), none).standing is Standing.REGRESSED


def test_the_nights_that_are_needed_fall_with_the_spread() -> None:
    needed = [judge(Reading(20.0), quiet(30, spread)).nights_needed for spread in (0.02, 0.06, 0.1, 2.0)]
    assert needed[:3] == sorted(one for one in needed if one is not None)
    assert needed[0] == 1
    assert needed[3] is None


def test_a_night_is_the_mean_of_its_trials_on_its_scale() -> None:
    trials = [(10.0, 9.9, 10.1, False), (40.0, 39.9, 40.1, False)]
    assert reading_of(trials, Scale(0.0)).value == pytest.approx(20.0)
    assert reading_of(trials, Scale(0.0)).uncertainty == pytest.approx(0.1 / 1.96 / 2**0.5, rel=1e-3)
    assert reading_of([(10.0, None, None, True)]).censored


@settings(deadline=None)  # a machine may be busy
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0, 1e6))
def test_a_scale_brings_back_what_it_took(values: list[float], value: float) -> None:
    scale = scale_of([Reading(one, 0.1) for one in values], duration=True)
    assert scale.back(scale.of(value)) == pytest.approx(value, rel=1e-6, abs=1e-6)
