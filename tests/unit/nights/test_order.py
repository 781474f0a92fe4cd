"""Which experiments a short night runs, and how long they take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.nights.worlds import World
from nights.order import LAST, OVERHEAD_S, UNKNOWN_S, Why, fitting, ordered
from nights.record import Night

NIGHTS = list(World(3, experiments=5, trials=2).nights(8))
NAMES = [f"serving/experiment-{number:02d}" for number in range(5)]
DIGESTS = dict.fromkeys(NAMES, "digest")


def with_last(experiment: int, **fields: object) -> list[Night]:
    """Return the nights, in the last of which one experiment came out otherwise."""
    last = NIGHTS[-1]
    runs = (replace(run, **fields) if run.experiment == NAMES[experiment] else run for run in last.runs)  # type: ignore[arg-type]
    return [*NIGHTS[:-1], replace(last, runs=tuple(runs))]


def without(nights: list[Night], experiment: int, since: int) -> list[Night]:
    """Return the nights; from night ``since`` on one experiment was not run."""
    kept = [tuple(run for run in night.runs if i < since or run.experiment != NAMES[experiment]) for i, night in enumerate(nights)]
    return [replace(night, runs=runs) for night, runs in zip(nights, kept, strict=True)]


def test_new_then_changed_then_failed_then_inconclusive_then_the_oldest_pass() -> None:
    nights = with_last(3, counts_as="FAIL")
    last = nights[-1]
    nights[-1] = replace(
        last, runs=tuple(replace(run, counts_as="INCONCLUSIVE") if run.experiment == NAMES[1] else run for run in last.runs)
    )
    nights = without(nights, 4, since=5)
    places = ordered(DIGESTS | {NAMES[2]: "another", "serving/new": "x"}, nights, "staging")
    assert [(one.experiment, one.why) for one in places] == [
        ("serving/new", Why.NEW),
        (NAMES[2], Why.CHANGED),
        (NAMES[3], Why.FAILED),
        (NAMES[1], Why.UNSURE),
        (NAMES[4], Why.OLDEST),
        (NAMES[0], Why.OLDEST),
    ]


def test_a_run_takes_what_it_took_in_the_last_nights() -> None:
    (place,) = ordered({NAMES[0]: "digest"}, NIGHTS, "staging")
    took = [run.duration_s for night in NIGHTS[-LAST:] for run in night.runs if run.experiment == NAMES[0]]
    assert place.estimate.run_s == pytest.approx(sum(took) / len(took) + OVERHEAD_S)
    assert place.estimate.nights == LAST


def test_it_takes_gpus_for_as_long_where_a_night_says_how_many() -> None:
    (place,) = ordered({NAMES[0]: "digest"}, with_last(0, gpus=3), "staging")
    assert place.estimate.gpu_s == pytest.approx(3 * place.estimate.run_s)
    assert ordered({NAMES[0]: "digest"}, NIGHTS, "staging")[0].estimate.gpu_s is None
    assert ordered({"a/b": "x"}, with_last(0, gpus=3), "staging")[0].estimate.gpu_s is None


def test_interrupted_runs_say_nothing_of_how_long_one_takes() -> None:
    (place,) = ordered({NAMES[0]: "digest"}, with_last(0, complete=False, duration_s=1.0), "staging")
    assert place.estimate.run_s > 60


def test_what_no_night_has_run_is_taken_for_a_guess() -> None:
    assert ordered({"a/b": "x"}, [], "staging")[0].estimate.run_s == UNKNOWN_S
    of_others = ordered({"a/b": "x"}, NIGHTS, "staging")[0].estimate
    assert (of_others.nights, of_others.run_s > 60) == (0, True)


def test_nights_of_another_target_say_nothing() -> None:
    assert ordered({NAMES[0]: "digest"}, NIGHTS, "prod")[0].why is Why.NEW


@pytest.mark.parametrize("limit_min", [0.1, 2, 5, 9, 1000])
def test_what_is_chosen_fits_and_nothing_that_fits_is_left_out(limit_min: float) -> None:
    places = ordered(DIGESTS, NIGHTS, "staging")
    chosen, left = fitting(places, 2, limit_min * 60)
    used_s = sum(one.estimate.run_s for one in chosen) * 2
    assert used_s <= limit_min * 60
    assert {one.experiment for one in (*chosen, *left)} == set(NAMES)
    assert all(used_s + one.estimate.run_s * 2 > limit_min * 60 for one in left)
