"""Between what an RTO of requests lies: it contains the truth, and a verdict needs all of it on one side of the budget."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from history.reader import Run
from history.result import Check, Verdict
from testing.histories.edits import asked, at, change_rows, on_every_replica, with_plan
from testing.histories.llm_server import SLO, TIMEOUT_S, llm_run
from testing.histories.truth import Hit, World, build
from testing.histories.truth_plan import REPLICAS
from tests.unit.verdict.conftest import HIT, NULL, run_of
from verdict import judge
from verdict.case import case_of
from verdict.requests.hit_share import hit_share
from verdict.requests.interval import Interval, interval_of
from verdict.requests.recovery_time import rto

SLOW = World(rate_rps=2.0, slo_s=1.0, timeout_s=4.0, baseline_s=175.0, hold_s=175.0, replaced=False)


def interval(run: Run) -> Interval:
    found = interval_of(case_of(run))
    assert found is not None
    return found


def check(run: Run) -> Check:
    found = rto(case_of(run))
    assert found is not None
    return found


@pytest.mark.parametrize(("kind", "truth_s"), [("refuse", 6.04), ("freeze", 8.0)])
def test_an_llm_servers_outage_lies_in_the_interval(kind: str, truth_s: float) -> None:
    for seed in range(10):
        found = interval(llm_run(kind, truth_s, seed=seed))  # type: ignore[arg-type]
        assert found.low_s <= truth_s <= found.high_s


def test_a_freeze_counts_the_streams_that_stood_still_and_ends_no_earlier_than_the_last_of_them() -> None:
    run = llm_run("freeze", 8.0)
    stood = run.requests.filter(pl.col("max_gap_ms") > 1000)
    found = interval(run)
    assert found.hurt == stood.height > 20
    assert found.high_s >= (stood["gap_end_ns"].to_numpy().max() - at(0)) / 1e9


def test_a_freeze_that_hurts_only_streams_under_way_is_no_missing_outage() -> None:
    patient = SLO.model_copy(update={"ttft_ms": 12_000.0})
    run = llm_run("freeze", 8.0, slo=patient, quiet_s=2.0)
    found, said = interval(run), check(run)
    assert judge(run).outages == ()
    assert found.low_s <= 8.0 <= found.high_s
    assert found.low_s > 6.9
    assert "noticed no outage" not in said.sentence
    assert said.sentence.startswith(
        f"No outage for whoever asked after the fault; {found.hurt} of {found.hurt} answers under way were stalled"
    )
    assert check(with_plan(run, budgets={"rto_s": 5.0})).verdict is Verdict.FAIL


def test_streams_that_were_cut_are_said_and_bound_the_rto_from_above() -> None:
    run = llm_run("cut")
    last_s = (run.requests.filter(~pl.col("complete"))["done_ns"].to_numpy().max() - at(0)) / 1e9
    late = change_rows(run, ~pl.col("complete"), done_ns=pl.col("done_ns") + 20 * 10**9, gap_end_ns=pl.col("done_ns") + 20 * 10**9)
    assert "answers under way were cut" in check(run).sentence
    assert interval(late).high_s == pytest.approx(last_s + 20, abs=0.01)
    assert interval(late).low_s == 0


def test_a_stream_given_up_at_the_time_out_tells_when_patience_ended_not_the_outage() -> None:
    patience_ns = int(TIMEOUT_S * 1e9)
    ended = pl.col("intended_ns") + patience_ns + 10**6
    given_up = change_rows(llm_run("cut"), ~pl.col("complete"), done_ns=ended, gap_end_ns=ended, max_gap_ms=60_000.0)
    assert interval(given_up).hurt == 0


def test_one_request_a_second_contains_a_total_outage_of_five_seconds() -> None:
    world = replace(SLOW, rate_rps=1.0, hits=(Hit(0.0, 5.0),), baseline_s=355.0, hold_s=355.0)
    found = [interval(on_every_replica(build(replace(world, seed=seed)).run)) for seed in range(60)]
    covered = [one.low_s <= 5.0 <= one.high_s for one in found]
    assert np.mean(covered) >= 0.95
    silent = [one for one in found if one.low_s == 0]
    assert silent
    assert all(one.high_s > 5 for one in silent), "no outage means none longer than this"


def test_a_budget_just_above_the_truth_is_never_failed() -> None:
    world = replace(SLOW, hits=(Hit(0.0, 9.25),), rto_budget_s=10.0)
    verdicts = [check(build(replace(world, seed=seed)).run).verdict for seed in range(60)]
    assert Verdict.FAIL not in verdicts
    assert Verdict.PASS in verdicts
    assert all(check(build(replace(world, seed=seed, rto_budget_s=6.0)).run).verdict is Verdict.FAIL for seed in range(10))


def test_a_budget_inside_is_inconclusive_and_says_the_rate_that_decides() -> None:
    world = replace(SLOW, hits=(Hit(0.0, 9.25),), seed=4)
    found = interval(build(world).run)
    said = check(with_plan(build(world).run, budgets={"rto_s": found.high_s - 0.05}))
    assert said.verdict is Verdict.INCONCLUSIVE
    assert "too close to the budget to call; about" in said.sentence
    assert "requests/s would decide." in said.sentence
    middle = check(with_plan(build(world).run, budgets={"rto_s": (found.low_s + found.high_s) / 2}))
    assert "too close to the budget to call, at any rate" in middle.sentence


@pytest.mark.parametrize(("over_s", "verdict"), [(-0.001, Verdict.FAIL), (0.001, Verdict.INCONCLUSIVE)])
def test_it_fails_only_if_the_low_end_is_over_the_budget(over_s: float, verdict: Verdict) -> None:
    assert check(with_plan(run_of(HIT), budgets={"rto_s": interval(run_of(HIT)).low_s + over_s})).verdict is verdict


@pytest.mark.parametrize(("under_s", "verdict"), [(0.001, Verdict.INCONCLUSIVE), (0.0, Verdict.PASS)])
def test_it_passes_only_if_the_high_end_is_within_the_budget(under_s: float, verdict: Verdict) -> None:
    assert check(with_plan(run_of(HIT), budgets={"rto_s": interval(run_of(HIT)).high_s - under_s})).verdict is verdict


def test_clock_error_and_send_lag_widen_both_ends() -> None:
    exact, off = interval(run_of(HIT)), interval(build(replace(HIT, clock_offset_s=0.0)).run)
    assert exact == off
    lag_ns = 30_000_000
    late = interval(change_rows(run_of(HIT), pl.lit(value=True), sent_ns=pl.col("sent_ns") + lag_ns))
    assert late.low_s == pytest.approx(exact.low_s - 0.03, abs=1e-6)
    assert late.high_s == pytest.approx(exact.high_s + 0.03, abs=1e-6)


def test_a_hang_ends_when_those_who_waited_were_answered() -> None:
    run = build(World(hits=(Hit(0.0, 6.0, kind="hang"),), rate_rps=20.0, slo_s=1.0, timeout_s=4.0, hold_s=30.0)).run
    found = interval(run)
    assert found.low_s <= 5.0 + 0.1
    assert found.high_s >= 6.0


def test_without_an_outage_the_high_end_is_the_shortest_that_is_found() -> None:
    found = interval(build(replace(SLOW, fault="none", rate_rps=20.0, horizon_s=60.0, hold_s=20.0, baseline_s=20.0)).run)
    assert found.low_s == 0
    assert found.high_s == pytest.approx(6.296 / 20 + 0.02, rel=0.2)


def test_of_a_fault_on_one_of_three_only_its_share_of_the_rate_counts() -> None:
    quiet = build(replace(SLOW, rate_rps=20.0, hits=(), horizon_s=60.0, hold_s=20.0, baseline_s=20.0)).run
    assert hit_share(case_of(quiet)) == pytest.approx(1 / 3, abs=0.01)
    assert hit_share(case_of(change_rows(quiet, pl.lit(value=True), pod=None))) == pytest.approx(1 / 3)
    assert hit_share(case_of(on_every_replica(quiet))) == 1
    assert interval(quiet).high_s > 2 * interval(on_every_replica(quiet)).high_s


def test_a_fault_shorter_than_what_users_may_wait_is_masked_and_not_absent() -> None:
    run = build(World(hits=(Hit(0.0, 0.8, kind="hang"),), rate_rps=20.0, slo_s=1.0, timeout_s=4.0, hold_s=30.0, baseline_s=30.0)).run
    said = check(with_plan(run, timers={"fault_s": 0.8}))
    assert said.sentence.startswith("The fault was masked by the SLO: it lasted 800 ms, and users may wait 1 s (RTO 0 s to ")
    assert said.high is not None
    assert said.high >= 0.8


PARTIAL = World(hits=(Hit(0.0, 6.0, 1 / 3),), rate_rps=20.0, slo_s=1.0, timeout_s=4.0, hold_s=30.0, baseline_s=30.0, replaced=False)


def test_good_answers_of_one_connection_count_once_and_those_of_a_healthy_one_never() -> None:
    run = run_of(PARTIAL)
    alone = interval(run)
    number = pl.int_range(pl.len(), dtype=pl.Int64)
    each = interval(change_rows(run, pl.lit(value=True), connection=number))
    assert each == alone
    bad = pl.col("outcome") == "fail"
    kept = change_rows(run, pl.lit(value=True), connection=pl.when(bad).then(1000 + number).otherwise(number % 5))
    assert math.isinf(interval(kept).high_s)
    said = check(kept)
    assert said.verdict is Verdict.INCONCLUSIVE
    assert "have users connect anew more often" in said.sentence
    in_tens = change_rows(run, pl.lit(value=True), connection=pl.when(asked(6, 100)).then(10_000 + number // 10).otherwise(number))
    assert interval(in_tens).high_s > alone.high_s + 1


def test_where_each_request_is_sent_on_by_itself_connections_do_not_matter() -> None:
    run = run_of(PARTIAL)
    mixed = change_rows(run, pl.lit(value=True), connection=pl.int_range(pl.len(), dtype=pl.Int64) % 50)
    assert interval(mixed) == interval(run)


def test_few_connections_that_were_all_hit_tell_by_being_served_again() -> None:
    run = run_of(replace(PARTIAL, hits=(Hit(0.0, 6.0),)))
    pooled = interval(change_rows(run, pl.lit(value=True), connection=pl.int_range(pl.len(), dtype=pl.Int64) % 3))
    assert pooled.low_s <= 6.0 <= pooled.high_s
    assert pooled.high_s == pytest.approx(interval(run).high_s, abs=0.3)


def test_a_good_answer_of_the_pod_that_was_hit_ends_a_partial_outage() -> None:
    run = run_of(PARTIAL)
    bad = pl.col("outcome") == "fail"
    others = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit(REPLICAS[1])).otherwise(pl.lit(REPLICAS[2]))
    elsewhere = change_rows(run, asked(0, 6) | ~bad & asked(6, 100), pod=pl.when(bad).then(None).otherwise(others))
    back = change_rows(elsewhere, asked(6, 6.3), pod=REPLICAS[0])
    assert interval(back).high_s < interval(elsewhere).high_s
    assert interval(back).high_s >= 6.0


def test_a_single_late_bad_request_makes_the_rto_uncertain_not_late() -> None:
    long = replace(HIT, hold_s=10.0, watched_s=30.0)
    number = int(np.flatnonzero(build(long).traffic.at_s > 3.5)[0])
    run = change_rows(run_of(long), pl.col("request_id") == number, outcome="fail", status=503)
    exact, found = interval(run_of(long)), interval(run)
    assert found.low_s == pytest.approx(exact.low_s, abs=1e-6)
    assert found.high_s > 3.5


def test_a_run_without_a_clock_bounds_nothing() -> None:
    run = run_of(HIT)
    found = interval(replace(run, events=run.events.filter(pl.col("kind") != "clock")))
    assert (found.low_s, found.high_s) == (0.0, math.inf)


def test_a_null_run_says_which_outages_it_would_have_shown() -> None:
    verdict = judge(run_of(NULL))
    assert verdict.value("rto_low") == 0
    assert 0 < (verdict.value("rto_high") or 0) < 0.5
