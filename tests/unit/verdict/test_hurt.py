"""Who was hurt: requests under way at the fault, one reason for each bad request, bad seconds, and how long was watched."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.result import Verdict
from history.schema import EventKind
from testing.histories.edits import asked, at, change_details, change_rows, with_plan
from testing.histories.streams import ON_TARGET, Recorded, Streams, recorded
from testing.histories.truth import Hit, World
from testing.histories.truth_plan import REPLICAS
from tests.unit.verdict.conftest import HIT, NULL, SHAM, check_of, measured, run_of
from verdict import judge
from verdict.inputs.reasons import Reason
from verdict.statistics import most_by_chance

ALL_CUT = Streams(seed=3)  # 39 are under way
PARTS = [f"bad_{reason.word}" for reason in Reason if reason is not Reason.GOOD]


def figures(run: Run) -> dict[str, float | None]:
    return {one.name: one.value for one in judge(run).measurements}


def test_all_39_under_way_are_cut_and_whoever_asks_later_is_served() -> None:
    made = recorded(ALL_CUT)
    verdict = judge(made.run)
    seen = {one.name: one.value for one in verdict.measurements}
    assert (made.under_way, made.hurt) == (39, 39)
    assert seen["requests_asked"] is not None
    assert seen["requests_asked"] > made.asked_after + 39  # the window of availability ends before watching does
    assert (seen["requests_under_way"], seen["requests_interrupted"], seen["bad_cut"], seen["requests_bad"]) == (39, 39, 39, 39)
    assert seen["availability"] == pytest.approx(made.asked_after / (made.asked_after + 39))
    rto = check_of(verdict, "rto").sentence
    assert rto.startswith("No outage for whoever asked after the fault; 39 of 39 answers under way were cut")
    assert check_of(verdict, "interrupted").measured == 1.0
    assert "noticed no outage" not in verdict.sentence
    assert check_of(verdict, "baseline").verdict is Verdict.PASS


def test_a_kill_may_cut_what_it_kills_which_the_verdict_says() -> None:
    made = recorded(replace(ALL_CUT, whom=ON_TARGET))
    verdict = judge(made.run)
    assert verdict.verdict is Verdict.PASS
    assert f"{made.hurt} of 39 answers under way were cut" in verdict.sentence
    assert f"{made.hurt} of {made.hurt} on its targets and 0 of {39 - made.hurt} elsewhere" in verdict.sentence


@pytest.mark.parametrize(
    ("budget", "graceful", "whom", "verdict"),
    [
        (None, False, pl.col("request_id") % 2 == 0, Verdict.FAIL),
        (0.4, False, ~ON_TARGET & (pl.col("request_id") % 3 == 1), Verdict.FAIL),  # one of the two others, whole
        (0.6, False, ~ON_TARGET & (pl.col("request_id") % 3 == 1), Verdict.PASS),
        (None, True, ON_TARGET, Verdict.FAIL),
        (0.2, True, ON_TARGET, Verdict.FAIL),  # all of those on its targets
        (1.0, True, ON_TARGET, Verdict.PASS),
        (None, True, pl.lit(value=False), Verdict.PASS),
    ],
)
def test_the_interrupted_are_held_against_a_share_of_where_they_were(
    budget: float | None, graceful: bool, whom: pl.Expr, verdict: Verdict
) -> None:
    run = with_plan(recorded(replace(ALL_CUT, whom=whom)).run, graceful=graceful, budgets={"interrupted": budget})
    assert check_of(judge(run), "interrupted").verdict is verdict


def unnamed(made: Recorded) -> Run:
    """Return the run as if no cut answer had named its pod."""
    return change_rows(made.run, pl.col("outcome") == "unknown", pod=None)


@pytest.mark.parametrize(
    ("whom", "graceful", "verdict", "words"),
    [
        (ON_TARGET, False, Verdict.PASS, "of which it is not known where they were"),  # a third of the requests, a third of the replicas
        (pl.lit(value=True), False, Verdict.INCONCLUSIVE, "39 were hurt, and hardly more than"),
        (ON_TARGET, True, Verdict.FAIL, "the budget is none."),
    ],
)
def test_a_cut_answer_without_a_pod_is_neither_direct_nor_collateral(whom: pl.Expr, graceful: bool, verdict: Verdict, words: str) -> None:
    made = recorded(replace(ALL_CUT, whom=whom))
    found = judge(with_plan(unnamed(made), graceful=graceful))
    seen = {one.name: one.value for one in found.measurements}
    assert (seen["interrupted_unknown"], seen["interrupted_direct"], seen["interrupted_collateral"]) == (made.hurt, 0, 0)
    assert check_of(found, "interrupted").verdict is verdict
    assert words in check_of(found, "interrupted").sentence


@pytest.mark.parametrize(
    ("begun_s", "late", "graceful", "verdict"),
    [
        (0.5, 1, False, Verdict.PASS),  # the gateway may have sent it anew when its pod did not answer
        (-0.01, 1, False, Verdict.FAIL),  # it was answered there when the fault struck
        (0.5, 1, True, Verdict.FAIL),  # the fault lets requests finish, so none is sent anew
        (0.5, 39, False, Verdict.FAIL),  # more than can have been on the targets
    ],
)
def test_what_another_pod_answered_late_may_have_been_on_a_target_first(
    begun_s: float, late: int, graceful: bool, verdict: Verdict
) -> None:
    elsewhere = asked(-0.2, 0) & (pl.col("pod") != REPLICAS[0])
    some = elsewhere & (elsewhere.cum_sum() <= late)
    run = with_plan(change_rows(run_of(World(rate_rps=300.0)), some, first_byte_ns=at(begun_s), done_ns=at(0.5)), graceful=graceful)
    found = judge(run)
    assert check_of(found, "interrupted").verdict is verdict, check_of(found, "interrupted").sentence


def test_where_the_fault_also_hit_a_gateway_those_elsewhere_may_have_been_hurt_on_their_way() -> None:
    run = change_details(run_of(HIT), EventKind.POD_READY, lambda _, detail: detail | {"role": "gateway"}, REPLICAS[1])
    targets = (*run.plan.targets, run.plan.targets[0].model_copy(update={"name": REPLICAS[1]}))
    both = with_plan(run, targets=targets, role="inference")
    elsewhere = asked(-0.2, 0) & (pl.col("pod") == REPLICAS[2])
    seen = figures(change_rows(both, elsewhere, outcome="unknown", complete=False, valid=None, done_ns=at(0.05)))
    assert seen["interrupted_collateral"] == 0
    assert (seen["interrupted_unknown"] or 0) > 1


def test_nobody_is_interrupted_by_a_fault_that_begins_with_new_pods_refused() -> None:
    run = run_of(HIT)
    refused = run.plan.targets[0].model_copy(update={"kind": "Namespace", "name": "ml-serving"})
    checks = judge(with_plan(run, targets=(refused, *run.plan.targets))).checks
    assert "interrupted" not in {check.name for check in checks}


def test_a_sham_control_hurts_nobody_and_a_null_control_interrupts_nobody() -> None:
    assert check_of(judge(run_of(SHAM)), "interrupted").verdict is Verdict.PASS
    assert "interrupted" not in {check.name for check in judge(run_of(NULL)).checks}


def test_streams_that_are_longer_than_the_latency_limit_are_cut_by_the_fault() -> None:
    long = Streams(lengths_s=(20, 40), latency_s=20.0, rate_rps=2.0, ratio=0.95, whom=pl.col("request_id") % 3 == 0)
    made = recorded(long)
    verdict = judge(made.run)
    assert check_of(verdict, "baseline").verdict is Verdict.PASS
    assert measured(made.run, "requests_interrupted").value == made.hurt > 10
    assert verdict.verdict is Verdict.PASS, verdict.sentence


def test_a_stream_that_falls_silent_is_stalled_however_it_ended() -> None:
    frozen = replace(ALL_CUT, kind="stall")
    silent = recorded(frozen).run
    given_up = change_rows(silent, pl.col("max_gap_ms") > 1000, outcome="unknown", complete=False, valid=None)
    for run in (silent, given_up):
        seen = figures(run)
        assert (seen["bad_stalled"], seen["requests_interrupted"], seen["requests_bad"]) == (39, 39, 39)


def test_one_stream_that_stands_still_a_millisecond_too_long_is_hurt_and_one_at_the_limit_is_not() -> None:
    calm = recorded(Streams(seed=3, kind="nothing")).run
    last = calm.requests.filter(pl.col("intended_ns") < at(0)).sort("intended_ns")["request_id"][-1]
    stood = [change_rows(calm, pl.col("request_id") == last, max_gap_ms=gap_ms, gap_end_ns=pl.lit(at(2))) for gap_ms in (700.0, 701.0)]
    at_the_limit, beyond = (check_of(judge(run), "interrupted").sentence for run in stood)
    assert at_the_limit.startswith("None of 39 answers under way")
    assert beyond.startswith("Of 39 answers under way at the fault 1 was hurt (1 stalled)")


def test_what_was_late_before_the_fault_is_the_baselines() -> None:
    run = change_rows(
        run_of(HIT), pl.col("request_id") == 1500, done_ns=at(0.4), first_byte_ns=at(0.4)
    )  # asked a second before, SLO 250 ms
    late = run.requests.filter(pl.col("request_id") == 1500)["intended_ns"].item()
    assert late + 250_000_000 < at(0) < at(0.4)
    assert measured(run, "requests_interrupted").value == measured(run_of(HIT), "requests_interrupted").value


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"outcome": "fail", "status": None, "complete": None, "valid": None, "error": "ConnectionRefusedError"}, "bad_refused"),
        ({"outcome": "fail", "status": 503, "complete": True, "valid": None}, "bad_error"),
        ({"outcome": "fail", "status": 200, "complete": False, "valid": None, "error": "Unfinished"}, "bad_error"),
        ({"outcome": "unknown", "status": 200, "complete": False, "valid": None}, "bad_cut"),
        ({"outcome": "unknown", "status": None, "complete": None, "valid": None}, "bad_cut"),
        ({"done_ns": pl.col("intended_ns") + 400_000_000, "first_byte_ns": pl.col("intended_ns") + 400_000_000}, "bad_late"),
        ({"outcome": "unknown", "done_ns": pl.col("intended_ns") + 900_000_000, "first_byte_ns": None, "complete": None}, "bad_late"),
        ({"valid": False}, "bad_wrong"),
        ({"sent_ns": None, "done_ns": None, "first_byte_ns": None, "outcome": "fail", "status": None, "complete": None}, "bad_unsent"),
    ],
)
def test_each_bad_request_has_one_reason(columns: dict[str, object], reason: str) -> None:
    seen = figures(change_rows(run_of(replace(HIT, hits=(), streams=0.0, spikes=0.0)), asked(5, 6), **columns))
    assert {name: seen[name] for name in PARTS if seen[name]} == {reason: seen["requests_bad"]}
    assert (seen["requests_bad"] or 0) > 50


@pytest.mark.parametrize(
    "world",
    [
        HIT,
        World(hits=(Hit(0.1, 2.0, 0.4, "slow"), Hit(3.0, 2.0, 0.5), Hit(6.0, 3.0, 0.7, "hang")), streams=0.5),
        World(hits=(Hit(0.2, 100.0, kind="hang"),), watched_s=20.0),
    ],
)
def test_the_reasons_add_up_to_the_bad_requests(world: World) -> None:
    seen = figures(run_of(world))
    assert sum(seen[name] or 0 for name in PARTS) == seen["requests_bad"] > 0  # type: ignore[operator]  # counts


def test_a_request_without_a_row_is_unrecorded() -> None:
    run = run_of(HIT)
    lost = replace(run, requests=run.requests.filter(~asked(8, 8.5)))
    seen = figures(lost)
    assert (seen["bad_unrecorded"] or 0) == run.requests.filter(asked(8, 8.5)).height
    assert sum(seen[name] or 0 for name in PARTS) == seen["requests_bad"]


@pytest.mark.parametrize(("budget_s", "verdict"), [(2.5, Verdict.FAIL), (3.5, Verdict.PASS)])
def test_bad_seconds_are_bad_requests_over_the_rate(budget_s: float, verdict: Verdict) -> None:
    for tail_s in (3.0, 60.0):  # no window flatters it
        found = check_of(judge(with_plan(run_of(replace(HIT, tail_s=tail_s)), budgets={"bad_seconds": budget_s})), "bad_seconds")
        assert found.measured == pytest.approx(3.0, abs=0.4)  # Poisson arrivals: 331 of 3 s at 100 requests/s
        assert found.verdict is verdict


LATE_IMPACT = World(hits=(Hit(25.0, 30.0),), watched_s=75.0)


def test_impact_that_begins_late_is_seen_if_the_fault_is_watched_to_its_end() -> None:
    full = judge(with_plan(run_of(LATE_IMPACT), timers={"fault_s": 60.0, "watch_s": 70.0}))
    assert measured(run_of(LATE_IMPACT), "rto").value == pytest.approx(55.0, abs=0.1)
    assert check_of(full, "watched").sentence == "Watched to the end of the fault, which lasted 60 s, and 15 s beyond."


def test_impact_that_begins_late_may_be_unwatched_which_the_verdict_says() -> None:
    smoke = judge(with_plan(run_of(replace(LATE_IMPACT, watched_s=11.6, hits=())), timers={"fault_s": 60.0}))
    assert smoke.verdict is Verdict.PASS
    assert smoke.sentence.endswith("Watched 11.6 of the 60 s that the fault lasted; what began later was not seen.")


def test_a_fault_that_is_over_at_once_is_watched_without_a_word() -> None:
    assert "watched" not in {check.name for check in judge(run_of(HIT)).checks}


@pytest.mark.parametrize(("trials", "share", "most"), [(0, 0.5, 0), (2, 0.003, 0), (39, 0.0033, 1), (39, 1 / 3, 20), (5, 1.0, 5)])
def test_the_most_that_chance_brings(trials: int, share: float, most: int) -> None:
    assert most_by_chance(trials, share) == most


LEAVING = asked(0.5, 3) & (pl.col("pod") == REPLICAS[0])
"""Whoever asks a target while it leaves."""


def graceful(**become: object) -> Run:
    """Return a run of a graceful fault that hurts nobody under way; those who ask its target later have the values ``become``."""
    return change_rows(with_plan(run_of(HIT), graceful=True), LEAVING, **become)


@pytest.mark.parametrize(
    "become",
    [
        {"outcome": "unknown", "complete": False, "valid": None, "status": 200},
        {"outcome": "fail", "complete": False, "valid": None, "status": 200},
    ],
    ids=["cut", "ended by an error"],
)
def test_who_asks_later_and_is_broken_off_while_the_targets_leave_is_held_against_a_graceful_fault(become: dict[str, object]) -> None:
    found = judge(graceful(**become))
    number = next(one.value for one in found.measurements if one.name == "interrupted_leaving")
    assert number == run_of(HIT).requests.filter(LEAVING).height > 3
    assert check_of(found, "interrupted").verdict is Verdict.FAIL
    assert f"and {number:.0f} answers to whoever asked later were broken off" in check_of(found, "interrupted").sentence


def test_who_is_refused_later_is_not_broken_off_and_a_kill_is_not_held_to_it() -> None:
    refused = judge(graceful(outcome="fail", complete=None, valid=None, status=503))
    assert next(one.value for one in refused.measurements if one.name == "interrupted_leaving") == 0
    killed = change_rows(run_of(HIT), LEAVING, outcome="unknown", complete=False, valid=None, status=200)
    assert "asked later" not in check_of(judge(killed), "interrupted").sentence


def test_what_was_broken_off_as_often_before_is_not_held_against_a_graceful_fault() -> None:
    third = (pl.col("request_id") % 300 == 7) & (pl.col("intended_ns") < at(-1))
    run = change_rows(graceful(), third, outcome="unknown", complete=False, valid=None, status=200)
    one_more = change_rows(
        run, asked(0.5, 3) & (pl.col("request_id") % 300 == 7), outcome="unknown", complete=False, valid=None, status=200
    )
    assert check_of(judge(one_more), "interrupted").verdict is Verdict.PASS
