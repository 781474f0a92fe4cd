"""Measurements of what users got, against figures known from how the run was made: a full outage from 0.2 to 3.2 s."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.schema import EventKind, Series
from history.workloads import RequestForm
from testing.histories.edits import add_event, asked, at, change_rows, change_samples, drop_events
from testing.histories.truth import Hit, World
from tests.unit.verdict.conftest import HIT, built, measured, run_of
from verdict import judge

CONSTANT = replace(HIT, arrivals="constant", streams=0.0, hits=(Hit(0.195, 3.0),))  # arrivals at 0.19, 0.20, 0.21 …
STEP = 0.01


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rto", 3.2),
        ("rto_resolution", 0.01034),
        ("time_to_impact", 0.2),
        ("time_to_confirm", 0.5),
        ("time_to_detection", 0.4),
        ("outage", 3.0),
        ("relapses", 0),
        ("residue", 0),
        ("availability", 1 - 300 / 1624),  # watched for 16.2 s of the RTO budget's 60, and four were under way at the fault
        ("attempt_availability", 1 - 300 / 1624),
        ("worst_1s", 0.0),
        ("worst_10s", 0.7),
        ("worst_60s", None),
        ("slo_debt", 0.79 + 0.99 + 0.99 + 0.19),
        ("error_budget_burn", 300 / (0.01 * 100 * 30 * 86_400)),
        ("heal_impact", 0.0),
        ("requests_bad", 300),
        ("requests_interrupted", 0),
        ("requests_lost", 0),
        ("answers_wrong", 0),
        ("answers_unchecked", 0),
        ("answers_claimed", 0),
        ("answers_truncated", 0),
        ("answers_duplicated", 0),
        ("requests_unknown", 0),
        ("requests_unexpected", 0),
        ("amplification", 1.0),
        ("full_capacity", 7.0),
        ("readiness_rto", 7.0),
        ("readiness_gap", 3.2 - 7.0),
        ("target_green", 0.4),
        ("wrong_green", 0.8),  # health is sampled once a second: red from 1.0 s on
        ("phase_detect", 0.4),
        ("phase_evict", 0.3),
        ("phase_schedule", 0.1),
        ("phase_start", 1.0),
        ("phase_load", 5.2),
        ("phase_warm", 0.0),
        ("dominant_phase", 5.2),
        ("queue_drain", 0.0),
    ],
)
def test_known_figures(name: str, expected: float | None) -> None:
    value = measured(run_of(CONSTANT), name).value
    assert value is None if expected is None else value == pytest.approx(expected, abs=2e-4)


def test_every_measurement_says_why_it_is_missing() -> None:
    run = drop_events(run_of(HIT), EventKind.FAULT_START)
    for found in judge(run).measurements:
        assert found.value is not None or found.sentence, found.name


def test_wrong_and_truncated_answers_are_counted_apart() -> None:
    rows = pl.col("request_id")
    run = change_rows(
        change_rows(run_of(HIT), rows.is_in([2500, 2501]), valid=False), rows.is_in([2600]), complete=False, outcome="unknown"
    )
    figures = {name: measured(run, name).value for name in ("requests_lost", "answers_wrong", "answers_truncated", "requests_unknown")}
    assert figures == {"requests_lost": 2, "answers_wrong": 2, "answers_truncated": 1, "requests_unknown": 1}


def test_answers_that_the_server_gave_up_are_bad_and_not_lost() -> None:
    """100 answers of 200 with finish_reason abort, asked for from 4 to 5 s after the fault."""
    whole = run_of(CONSTANT)
    run = change_rows(whole, asked(4, 5), outcome="fail", status=200, valid=None, complete=False, error="Unfinished: …")
    figures = {m.name: m.value for m in judge(run).measurements}
    assert (figures["requests_bad"], figures["answers_truncated"], figures["requests_lost"]) == (400, 100, 0)
    assert figures["availability"] < measured(whole, "availability").value
    assert figures["rto"] == pytest.approx(5, abs=2 * STEP)


@pytest.mark.parametrize("complete", [True, False])
def test_an_answer_that_cannot_be_read_is_not_lost_however_it_ended(complete: bool) -> None:
    run = change_rows(run_of(HIT), pl.col("request_id").is_in([2500, 2501]), outcome="fail", status=200, valid=False, complete=complete)
    assert (measured(run, "requests_lost").value, measured(run, "answers_wrong").value) == (0, 0)


@pytest.mark.parametrize(("valid", "tokens", "claimed"), [(None, 5, 2), (None, None, 2), (None, 8, 0), (True, 5, 0), (False, 5, 2)])
def test_answers_shorter_than_asked_are_whole_by_the_word_of_the_server(valid: bool | None, tokens: int | None, claimed: int) -> None:
    run = change_rows(run_of(HIT), pl.col("request_id").is_in([2500, 2501]), valid=valid, tokens=tokens)
    found = measured(run, "answers_claimed")
    assert (found.value, "by the word of the server alone" in found.sentence) == (claimed, bool(claimed))


def test_with_ignore_eos_the_length_of_answers_is_known() -> None:
    run = change_rows(run_of(HIT), pl.col("request_id").is_in([2500, 2501]), valid=None, tokens=5)
    workload = run.plan.requests
    exact = workload.model_copy(update={"load": workload.load.model_copy(update={"request": RequestForm(ignore_eos=True)})})
    known = replace(run, plan=run.plan.model_copy(update={"workloads": (exact,)}))
    assert measured(known, "answers_claimed").value == 0


def test_requests_under_way_at_the_fault_belong_to_it() -> None:
    run = change_rows(run_of(HIT), asked(-0.2, 0), outcome="unknown", complete=None, status=None, valid=None, done_ns=at(0.05))
    caught = run.requests.filter(asked(-0.2, 0)).height
    assert measured(run, "requests_interrupted").value == caught > 5
    assert measured(run, "requests_bad").value == built(HIT).truth.bad + caught
    assert measured(run, "bad_cut").value == caught


def test_a_retry_that_serves_the_user_hides_the_failure_from_users_alone() -> None:
    run = run_of(CONSTANT)
    retried = run.requests.filter(asked(1, 2)).with_columns(
        attempt=pl.lit(1, pl.Int16()),
        done_ns=pl.col("intended_ns") + 120_000_000,
        sent_ns=pl.col("intended_ns") + 90_000_000,
        first_byte_ns=None,
        outcome=pl.lit("ok", run.requests.schema["outcome"]),
        status=pl.lit(200, pl.Int16()),
        valid=pl.lit(value=True),
        complete=pl.lit(value=True),
    )
    rows = pl.concat([run.requests, retried.select(run.requests.columns).cast(run.requests.schema)]).sort("done_ns", maintain_order=True)
    verdict = judge(replace(run, requests=rows))
    figures = {m.name: m.value for m in verdict.measurements}
    assert figures["requests_bad"] == 200
    assert figures["availability"] == pytest.approx(1 - 200 / 1624)
    assert figures["attempt_availability"] == pytest.approx(1 - 300 / 1724)
    assert figures["amplification"] == pytest.approx(1 + 100 / run.schedule.height)
    assert figures["answers_duplicated"] == 0
    assert verdict.verdict == "PASS"


@pytest.mark.parametrize(
    ("hit", "long", "drained_s", "sentence", "censored"),
    [
        (True, (1, 6), 6.0 - 3.2, None, False),
        (True, (9, 11), 0.0, None, False),
        (False, (1, 99), None, "there was no outage, so nothing piled up", False),
        (True, (1, 99), None, None, True),
    ],
    ids=["it drains after recovery", "it forms long after recovery: no backlog of the outage", "without an outage", "it never drains"],
)
def test_a_queue_that_is_long(hit: bool, long: tuple[int, int], drained_s: float | None, sentence: str | None, censored: bool) -> None:
    within = (pl.col("t_ns") >= at(long[0])) & (pl.col("t_ns") < at(long[1]))
    run = change_samples(run_of(HIT if hit else replace(HIT, hits=())), Series.QUEUE_DEPTH.value, pl.when(within).then(40.0).otherwise(1.0))
    found = measured(run, "queue_drain")
    assert found.censored is censored
    assert drained_s is None or found.value == pytest.approx(drained_s, abs=0.05 if drained_s else 0.0)
    assert sentence is None or found.sentence == sentence


@pytest.mark.parametrize("every_s", [1.0, 30.0])
def test_how_well_the_end_of_a_queue_is_known_follows_from_how_often_it_is_scraped(every_s: float) -> None:
    run = run_of(HIT)
    scraped = {"queue_every_s": every_s, "queue_fresh_s": max(5.0, 1.5 * every_s)}
    plan = run.plan.model_copy(update={"timers": run.plan.timers.model_copy(update=scraped)})
    within = (pl.col("t_ns") >= at(9)) & (pl.col("t_ns") < at(11))  # recovery is at 3.2 s: the first scrape that saw the backlog
    run = change_samples(replace(run, plan=plan), Series.QUEUE_DEPTH.value, pl.when(within).then(40.0).otherwise(1.0))
    found = measured(run, "queue_drain")
    assert found.value == (pytest.approx(11 - 3.2, abs=0.05) if every_s > 5 else 0.0)
    assert ("known to 30 s: the queue is scraped so often" in found.sentence) is (every_s > 5)


def test_an_outage_while_healing_is_reported_apart() -> None:
    run = change_rows(run_of(HIT), asked(16.5, 17.0), outcome="fail", status=503)
    verdict = judge(run)
    heal = next(check for check in verdict.checks if check.name == "heal")
    assert measured(run, "rto").value == measured(run_of(HIT), "rto").value
    assert measured(run, "heal_impact").value == pytest.approx(0.5, abs=0.05)
    assert "healing itself cost users 1 outage" in heal.sentence
    assert len(verdict.outages) == 1


def test_who_asked_before_healing_and_waited_into_it_is_hurt_by_healing() -> None:
    """Healing begins 16.2 s after the fault; answers asked 0.2 s earlier come 2 s late, one SLO is a second."""
    late = {"done_ns": pl.col("intended_ns") + 3_000_000_000, "first_byte_ns": pl.col("intended_ns") + 3_000_000_000}
    run = change_rows(run_of(HIT), asked(16.0, 17.0), **late)
    assert measured(run, "rto").value == measured(run_of(HIT), "rto").value
    assert measured(run, "heal_impact").value == pytest.approx(1.0, abs=0.05)
    refused = change_rows(run_of(HIT), asked(16.0, 17.0), outcome="fail", status=503)  # known at once, and before healing
    assert measured(refused, "rto").value is None or measured(refused, "rto").censored


def test_residue_is_reported_and_is_no_outage() -> None:
    run = change_rows(run_of(CONSTANT), asked(8.995, 9.005) | asked(12.995, 13.015), valid=None, outcome="fail", status=500)
    assert measured(run, "residue").value == 3
    assert measured(run, "relapses").value == 0


def test_a_measured_clock_offset_is_part_of_the_resolution() -> None:
    run = add_event(run_of(HIT), -5, EventKind.CLOCK, "w0", offset_ms=-12.5, against="runner")
    assert measured(run, "rto_resolution").value == pytest.approx((measured(run_of(HIT), "rto_resolution").value or 0) + 0.0125, abs=1e-3)


def test_a_world_without_streams_and_one_with_only_streams_agree() -> None:
    plain, streamed = (measured(run_of(replace(World(hits=(Hit(0.2, 3.0),)), streams=share)), "rto").value for share in (0.0, 1.0))
    assert plain == pytest.approx(streamed, abs=2 * STEP)
