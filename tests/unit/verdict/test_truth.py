"""The verdict against runs whose right answer follows from how they were made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from history.result import Verdict
from testing.histories.edits import asked, drop_rows
from testing.histories.truth import Hit, World, build
from testing.histories.truth_sets import compound_set, set_of
from tests.unit.verdict.conftest import HIT, built
from verdict import judge

SMALL_SET = set_of((10.0, 100.0, 1000.0), (0.1, 1.0, 10.0), (0.05, 0.2, 0.5, 1.0), seed=7)


def rto_of(world: World) -> tuple[float | None, float | None, bool]:
    """Return (measured, true, clear) RTO."""
    made = build(world)
    found = judge(made.run).measurement("rto")
    assert found is not None
    return (None if found.censored else found.value), made.truth.rto_s, made.truth.clear


@pytest.mark.parametrize("world", SMALL_SET, ids=range(len(SMALL_SET)))
def test_rto_is_that_of_the_construction(world: World) -> None:
    measured, true, clear = rto_of(world)
    if clear:
        allowed = 2 / world.rate_rps + 0.02 if world.hits[0].share == 1 else max(2 / world.rate_rps + 0.02, 0.01 * (true or 0))
        assert measured == pytest.approx(true, abs=allowed)


def test_most_of_the_set_is_clear() -> None:
    assert sum(build(world).truth.clear for world in SMALL_SET) > 0.8 * len(SMALL_SET)


@pytest.mark.parametrize("world", compound_set(12, seed=3), ids=range(12))
def test_relapses_second_faults_spikes_workers_and_clocks_that_are_off(world: World) -> None:
    made = build(world)
    verdict = judge(made.run)
    rto, resolution = verdict.measurement("rto"), verdict.measurement("rto_resolution")
    assert rto is not None
    assert resolution is not None
    if made.truth.clear:
        assert rto.value == pytest.approx(made.truth.rto_s, abs=resolution.value)
        assert len(verdict.outages) == made.truth.outages


def test_an_outage_that_outlasts_the_run_is_censored() -> None:
    made = build(replace(HIT, hits=(Hit(0.2, 100.0),), watched_s=30.0))
    rto = judge(made.run).measurement("rto")
    assert made.truth.rto_s is None
    assert rto is not None
    assert rto.censored
    assert rto.value == pytest.approx(30.0, abs=0.05)


def test_a_gap_in_the_record_is_counted_as_bad_and_makes_the_run_inconclusive() -> None:
    made = built(HIT)
    gap = int(((made.traffic.at_s >= 8) & (made.traffic.at_s < 9)).sum())
    verdict = judge(drop_rows(made.run, asked(8, 9)))
    bad = verdict.measurement("requests_bad")
    assert verdict.load is not None
    assert bad is not None
    assert (verdict.verdict, verdict.load.holes) == (Verdict.INCONCLUSIVE, gap)
    assert bad.value == made.truth.bad + gap


def test_a_clock_that_is_off_is_part_of_the_stated_resolution() -> None:
    exact, off = (judge(build(replace(HIT, clock_offset_s=offset)).run).measurement("rto_resolution") for offset in (0.0, 0.02))
    assert exact is not None
    assert off is not None
    assert off.value == pytest.approx((exact.value or 0) + 0.02, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_realistic_latency_tails_are_no_outage(seed: int) -> None:
    made = build(World(fault="none", replaced=False, horizon_s=300.0, seed=seed, spikes=5e-4, pauses_per_min=2.0, streams=0.3))
    verdict = judge(made.run)
    assert (verdict.verdict, verdict.outages) == (Verdict.PASS, ()), verdict.sentence
