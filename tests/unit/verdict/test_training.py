"""Training runs judged by constructed ledgers: what was lost, when training was beyond it, where the time went."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.result import Verdict
from history.schema import EventKind
from testing.histories.training_stories import (
    JOB,
    NEVER,
    STEP_S,
    Life,
    Story,
    check,
    frame,
    judged,
    ns,
    row,
    rows_of,
    run_of,
    value,
    with_events,
)
from verdict import definitions, judge
from verdict.inputs.training_job import training_job_of
from verdict.training.goodput import goodput_of


def test_a_killed_rank_is_measured_to_the_step() -> None:
    verdict = judged()
    assert verdict.verdict is Verdict.PASS, [one for one in verdict.checks if one.verdict is not Verdict.PASS]
    # step 100 is done at 20.0 s; the second life begins at 24 s from step 90: step 91 at 24.2 s, step 101 at 26.2 s
    assert value(verdict, "rto_train_first") == pytest.approx(24.2 - 20.05)
    assert value(verdict, "rto_train") == value(verdict, "rto") == pytest.approx(26.2 - 20.05)
    assert value(verdict, "lost_steps") == 10
    assert value(verdict, "rpo_samples") == 60
    assert value(verdict, "rpo_seconds") == pytest.approx(10 * STEP_S)
    assert (value(verdict, "samples_skipped"), value(verdict, "samples_repeated"), value(verdict, "states_differing")) == (0, 0, 0)
    assert (value(verdict, "restarts"), value(verdict, "restarts_left"), value(verdict, "two_writers")) == (1, 99, 0)
    assert value(verdict, "checkpoint_validity") == value(verdict, "save_success") == 1
    assert verdict.load is None
    assert "10 steps lost" in verdict.sentence


def test_goodput_and_badput_sum_up_to_the_wall_time() -> None:
    story = Story()
    spent = goodput_of(training_job_of(JOB, frame(rows_of(story))), ns(story.heal_s))
    assert spent is not None
    parts = spent.productive_s + spent.recovery_s + spent.restore_s + spent.replay_s + spent.stall_s
    assert parts == pytest.approx(spent.wall_s) == pytest.approx(45.0 - STEP_S)
    assert spent.restore_s == pytest.approx(0.5)
    assert spent.replay_s == pytest.approx(10 * STEP_S)
    assert spent.recovery_s == pytest.approx(26.0 - 20.0 - 0.5 - 2.0)
    assert spent.stall_s == 0
    assert value(judged(), "ettr") == pytest.approx(spent.productive_s / spent.wall_s)


PHASES = ("phase_went_on", "phase_replace", "phase_gang", "phase_restore", "phase_first_step", "phase_replay")


def test_phases_sum_up_to_the_time_to_be_beyond() -> None:
    verdict = judged()
    found = {name: value(verdict, name) for name in PHASES if name != "phase_replace"}
    # restored by 24 s after 0.5 s; step 91 is done at 24.2 s, step 101 at 26.2 s
    assert found == pytest.approx(dict(zip(found, (0.0, 23.5 - 20.05, 0.5, 0.2, 2.0), strict=True)))
    assert sum(found.values()) == pytest.approx(value(verdict, "rto_train"))
    assert value(verdict, "verified_state") == pytest.approx(24.0 - 20.05)


def test_a_new_pod_of_a_rank_is_a_phase_of_its_own() -> None:
    verdict = judge(with_events(Story(), (22.0, EventKind.POD_CREATED, "b-x"), (23.0, EventKind.POD_CREATED, "z-x")))
    assert value(verdict, "phase_replace") == pytest.approx(22.0 - 20.05)  # z holds no rank
    assert value(verdict, "phase_gang") == pytest.approx(1.5)


def test_a_lost_pod_that_stays_listed_beside_its_successor_is_told_and_is_no_second_writer() -> None:
    began = ((1.0, EventKind.POD_READY, "j-1-old"), (1.0, EventKind.POD_READY, "j-2-only"), (1.0, EventKind.POD_READY, "other-1-x"))
    new = ((22.0, EventKind.POD_CREATED, "j-1-new"), (23.0, EventKind.POD_STARTED, "j-1-new"))
    verdict = judge(with_events(Story(), *began, *new, (40.0, EventKind.POD_GONE, "j-1-old")))
    assert value(verdict, "pods_doubled") == pytest.approx(40.0 - 23.0)
    found = check(verdict, "writers")
    assert (found.verdict, "although j-1-old stayed listed for 17" in found.sentence) == (Verdict.PASS, True)
    assert value(judge(with_events(Story(), *began, *new, (21.5, EventKind.POD_GONE, "j-1-old"))), "pods_doubled") == 0


def test_a_job_that_was_never_out_has_no_phases_and_lost_no_state() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 250),)))
    assert all(verdict.measurement(name).value is None for name in PHASES)  # type: ignore[union-attr]  # of every run
    assert value(verdict, "verified_state") == 0
    found = judged(NEVER).measurement("verified_state")
    assert found is not None
    assert found.value is None  # it never came back, so nobody knows on what


def test_a_job_that_did_its_last_step_is_not_out_however_long_it_is_watched() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 400, step_s=0.05)), heal_s=70.0))  # all is done at 39.5 s
    assert value(verdict, "rto_train") == pytest.approx(24.55 - 20.05)
    assert check(verdict, "rto").verdict is Verdict.PASS


def test_which_store_it_went_on_from_and_which_did_not_answer_is_told() -> None:
    notes = ("s3://x at c: no answer", "s3://x at b: step-00000100.a0001: shard 1 reads differently")
    found = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, rejected=notes)))).measurement("stores_silent")
    assert found is not None
    assert (found.value, "step-00000090.a0001 from" in found.sentence) == (1, True)
    assert judged(NEVER).measurement("stores_silent").value is None  # type: ignore[union-attr]  # of every run


def test_ranks_that_differ_are_found_after_so_many_steps() -> None:
    sentence = "step 110: rank 2 deviates"
    rows = [*rows_of(Story()), row("divergence", 2, 0, 110, 28.01, sentence=sentence)]
    found = judge(run_of(Story(), rows)).measurement("divergence_found")
    assert found is not None
    assert (found.value, found.sentence) == (10, sentence)


def test_without_a_new_attempt_a_long_pause_is_a_stall_and_a_short_one_is_none() -> None:
    stalled = (Life(0.0, 0, 100), Life(26.0, 100, 250))
    rows = [one | {"attempt": 1} for one in rows_of(Story(lives=stalled)) if not (one["kind"] == "start" and one["attempt"] == 2)]
    verdict = judge(run_of(Story(lives=stalled), rows))
    assert value(verdict, "rto_train") == pytest.approx(26.2 - 20.05)
    assert (value(verdict, "lost_steps"), value(verdict, "restarts")) == (0, 0)
    assert value(verdict, "badput_stall") == pytest.approx(6.2)
    assert value(judged(Story(lives=(Life(0.0, 0, 250),))), "rto_train") == 0


def test_a_second_restart_moves_recovery_to_its_end() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 95), Life(30.0, 90, 250)), heal_s=50.0))
    assert value(verdict, "rto_train") == pytest.approx(32.2 - 20.05)
    assert (value(verdict, "lost_steps"), value(verdict, "restarts")) == (10, 2)


def test_the_rpo_gauge_is_the_largest_age_of_a_verified_checkpoint() -> None:
    # step 100 is done at 20.0 s and verified at 20.3 s, after the fault; step 110, done at 28.0 s, is verified at 28.3 s
    assert value(judged(), "verified_age") == pytest.approx(28.3 - 20.0)


def test_every_measurement_and_check_of_training_is_defined() -> None:
    names = {name for name, _ in definitions()}
    verdict = judged()
    assert {one.name for one in verdict.measurements} <= names
    assert {f"check {one.name}" for one in verdict.checks} <= names
    assert "availability" not in {one.name for one in verdict.measurements}


def test_a_row_that_was_sent_twice_counts_once_of_the_job_and_of_its_reference() -> None:
    run = run_of(Story())
    twice = {name: pl.concat([rows, rows.filter(pl.col("kind") == "step").head(1)]) for name, rows in run.ledgers.items()}
    verdict = judge(replace(run, ledgers=twice))
    assert verdict.verdict is Verdict.PASS
    assert (value(verdict, "samples_skipped"), value(verdict, "samples_repeated")) == (0, 0)
