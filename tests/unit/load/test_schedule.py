"""The schedule is decided by the seed alone and offers what the plan says."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from history.errors import ConfigError
from history.prompts import Prompt
from history.schema import SCHEDULE
from history.workloads import Load, Mix
from workloads.load.schedule import make_schedule

PROMPTS = [Prompt("x" * size, "y" * 30) for size in range(1, 41)]
MIXES = st.lists(
    st.builds(
        Mix,
        weight=st.floats(0.1, 10),
        stream=st.booleans(),
        max_tokens=st.tuples(st.integers(1, 5), st.integers(5, 30)),
        prompt_chars=st.tuples(st.integers(1, 10), st.integers(10, 50)),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


def load(**fields: object) -> Load:
    defaults = {
        "url": "http://h",
        "model": "m",
        "mix": (Mix(weight=1, max_tokens=(4, 4)),),
        "prompts": "p",
        "in_flight_cap": 9,
        "timeout_s": 1,
    }
    return Load.model_validate({"rate_rps": 50.0, "horizon_s": 20.0, "seed": 1} | defaults | fields)


LOADS = st.builds(
    load,
    rate_rps=st.floats(0.5, 300),
    horizon_s=st.floats(0.1, 20),
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 4),
    arrivals=st.sampled_from(["poisson", "constant"]),
    mix=MIXES,
)


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_is_sorted_within_the_horizon_and_numbered(offered: Load) -> None:
    schedule = make_schedule(offered, PROMPTS)
    assert dict(schedule.schema) == SCHEDULE
    assert schedule["request_id"].to_list() == list(range(schedule.height))
    assert schedule["offset_ns"].is_sorted()
    assert schedule.is_empty() or 0 <= schedule["offset_ns"][0] <= schedule["offset_ns"][-1] < offered.horizon_s * 1e9


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_the_same_seed_gives_the_same_schedule(offered: Load) -> None:
    assert make_schedule(offered, PROMPTS).equals(make_schedule(offered, PROMPTS))


@settings(max_examples=60, deadline=None)
@given(LOADS, st.floats(0.1, 30))
def test_a_longer_horizon_only_adds_to_the_end(offered: Load, more_s: float) -> None:
    short = make_schedule(offered, PROMPTS)
    longer = make_schedule(offered.model_copy(update={"horizon_s": offered.horizon_s + more_s}), PROMPTS)
    assert longer.head(short.height).equals(short)


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_every_request_is_of_a_kind_in_the_mix(offered: Load) -> None:
    for row in make_schedule(offered, PROMPTS).iter_rows(named=True):
        size = len(PROMPTS[row["prompt_id"]].prompt)
        assert any(
            mix.stream == row["stream"]
            and mix.max_tokens[0] <= row["max_tokens"] <= mix.max_tokens[1]
            and mix.prompt_chars[0] <= size <= mix.prompt_chars[1]
            for mix in offered.mix
        )


@settings(max_examples=60, deadline=None)
@given(LOADS)
def test_workers_share_evenly(offered: Load) -> None:
    schedule = make_schedule(offered, PROMPTS)
    shares = [schedule.filter(pl.col("worker") == worker).height for worker in range(offered.workers)]
    assert sum(shares) == schedule.height
    assert max(shares) - min(shares) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(20, 400))
def test_poisson_offers_the_rate(seed: int, rate_rps: float) -> None:
    expected = rate_rps * 60
    count = make_schedule(load(rate_rps=rate_rps, horizon_s=60.0, seed=seed), PROMPTS).height
    assert abs(count - expected) < 7 * math.sqrt(expected)  # 7 standard deviations: once in 10^12


def test_poisson_gaps_are_exponential() -> None:
    gaps_s = make_schedule(load(rate_rps=200.0, horizon_s=200.0), PROMPTS)["offset_ns"].diff().drop_nulls() / 1e9
    mean = 1 / 200
    for share in (0.1, 0.5, 0.9, 0.99):  # the quantiles of an exponential law
        assert gaps_s.quantile(share) == pytest.approx(-mean * math.log(1 - share), rel=0.05)


def test_constant_arrivals_are_equally_spaced() -> None:
    offsets = make_schedule(load(arrivals="constant", rate_rps=200.0, horizon_s=5.0), PROMPTS)["offset_ns"].to_list()
    assert offsets == [number * 5_000_000 for number in range(1000)]


def test_the_mix_follows_its_weights() -> None:
    mix = (Mix(weight=3, stream=True, max_tokens=(2, 2)), Mix(weight=1, max_tokens=(9, 9)))
    schedule = make_schedule(load(mix=mix, rate_rps=1000.0), PROMPTS)
    assert schedule["stream"].mean() == pytest.approx(0.75, abs=0.02)


def test_no_prompt_of_that_length_is_said() -> None:
    mix = (Mix(weight=1, max_tokens=(2, 2), prompt_chars=(100, 200)),)
    with pytest.raises(ConfigError, match=r"no prompt of 100 to 200 characters in p \(it holds 1 to 40\)"):
        make_schedule(load(mix=mix), PROMPTS)


def test_a_right_answer_that_is_too_short_to_check_is_said() -> None:
    with pytest.raises(ConfigError, match="asks for up to 31 tokens, but a right answer in p has only 30"):
        make_schedule(load(mix=(Mix(weight=1, max_tokens=(2, 31)),)), PROMPTS)
    unknown = [Prompt("x", None)]
    assert make_schedule(load(mix=(Mix(weight=1, max_tokens=(2, 31)),)), unknown).height > 0
