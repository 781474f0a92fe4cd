"""Training runs that are wrong in one way each: the check that is about it says so, and nothing passes for lack of a record."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from history.budgets import Budgets
from history.result import Check, Verdict
from history.schema import EVENTS, EventKind
from history.workloads import State
from testing.histories.training_stories import NEVER, Life, Story, check, judged, ns, row, rows_of, run_of, value, with_events
from verdict import judge

LOST = Story(lives=(Life(0.0, 0, 100), Life(24.0, 60, 250)))
SLOW = Story(lives=(Life(0.0, 0, 100), Life(60.0, 90, 250)), heal_s=85.0)
OTHER_DATA = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, skip=6)))
OTHER_STATE = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, wrong_from=110)))
TWO = Story(lives=(Life(0.0, 0, 140), Life(24.0, 90, 250)))
UNSAVED = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, saves=False)))


@pytest.mark.parametrize(
    ("story", "name", "says"),
    [
        (LOST, "rpo_steps", "40 steps that had been done were lost; the budget is 20"),
        (LOST, "rpo_samples", "240 samples"),
        (SLOW, "rto", "after the fault"),
        (NEVER, "rto", "not seen to go on"),
        (OTHER_DATA, "samples", "6 samples were skipped"),
        (OTHER_STATE, "state", "From step 110 on the state is not that of an undisturbed run"),
        (TWO, "writers", "attempt 1 did step 140"),
        (UNSAVED, "checkpoints", "No checkpoint was verified"),
    ],
)
def test_what_is_wrong_is_found_by_the_check_that_is_about_it(story: Story, name: str, says: str) -> None:
    found = check(judged(story), name)
    assert found.verdict is Verdict.FAIL, found
    assert says in found.sentence


def test_one_rank_in_two_processes_is_found() -> None:
    rows = [*rows_of(Story()), row("step", 2, 1, 120, 30.0, samples=[], outcome="applied", host="ghost")]
    found = check(judge(run_of(Story(), rows)), "writers")
    assert (found.verdict, "rank 1 of attempt 2 was 2 processes" in found.sentence) == (Verdict.FAIL, True)


def test_rows_that_were_sent_twice_count_once() -> None:
    rows = rows_of(Story())
    assert judge(run_of(Story(), rows + rows)).checks == judged().checks


@pytest.mark.parametrize("kept", [lambda _one: False, lambda one: one["kind"] != "step", lambda one: one["kind"] != "start"])
def test_an_empty_or_partial_ledger_is_never_a_pass(kept: pl.Expr) -> None:
    verdict = judge(run_of(Story(), [one for one in rows_of(Story()) if kept(one)]))
    assert verdict.verdict is not Verdict.PASS
    assert check(verdict, "ledger").verdict is Verdict.INCONCLUSIVE
    assert not [one for one in verdict.checks if one.name in {"rto", "rpo_steps"} and one.verdict is Verdict.PASS]


def test_a_run_without_any_ledger_is_inconclusive() -> None:
    verdict = judge(replace(run_of(Story()), ledgers={}))
    assert verdict.verdict is Verdict.INCONCLUSIVE
    assert "ledger is empty" in check(verdict, "ledger").sentence


def test_a_step_that_one_rank_never_told_of_is_a_gap() -> None:
    verdict = judged(Story(without=frozenset({(2, 150)})))
    assert "the first is 150" in check(verdict, "ledger").sentence
    assert verdict.verdict is Verdict.INCONCLUSIVE


def test_without_a_reference_state_and_samples_are_not_known() -> None:
    verdict = judged(Story(reference=False))
    assert {one.name for one in verdict.checks if one.verdict is Verdict.INCONCLUSIVE} == {"state", "samples"}


def test_where_a_batch_was_set_aside_the_comparison_of_states_ends() -> None:
    rows = [
        one | {"outcome": "quarantined"} if (one["kind"], one["step"]) == ("step", 105) else one
        for one in rows_of(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, wrong_from=106))))
    ]
    verdict = judge(run_of(Story(), rows))
    found = check(verdict, "state")
    assert value(verdict, "batches_set_aside") == 1
    assert (found.verdict, "at step 105 a batch was set aside" in found.sentence) == (Verdict.PASS, True)


def test_a_batch_that_was_set_aside_and_then_done_as_usual_excuses_nothing() -> None:
    wrong = Story(lives=(Life(0.0, 0, 100, wrong_from=95), Life(24.0, 90, 250, wrong_from=120)))
    rows = [
        one | {"outcome": "quarantined"} if (one["attempt"], one["step"], one["kind"]) == (1, 95, "step") else one for one in rows_of(wrong)
    ]
    found = check(judge(run_of(wrong, rows)), "state")  # attempt 2 did step 95 again; that it differs from step 120 on has no reason
    assert (found.verdict, "From step 120 on" in found.sentence) == (Verdict.FAIL, True)


def test_a_baseline_with_a_break_supports_nothing() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 30), Life(10.0, 30, 78), Life(24.0, 70, 250))))
    assert "break" in check(verdict, "baseline").sentence
    assert check(verdict, "rto").verdict is Verdict.INCONCLUSIVE


def test_a_job_that_had_finished_before_the_fault_shows_nothing() -> None:
    lives = (Life(0.0, 0, 400, step_s=0.04),)
    verdict = judged(Story(lives=lives, state=State(mode="none")))
    assert "had done its last step, 400, 4.05 s before the fault: nothing was left" in check(verdict, "baseline").sentence
    assert {check(verdict, name).verdict for name in ("rto", "rpo_steps")} == {Verdict.INCONCLUSIVE}
    assert "No checkpoint was verified in 0 s" in check(verdict, "checkpoints").sentence
    assert check(judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 400, step_s=0.05)))), "baseline").verdict is Verdict.PASS


def test_a_recovery_that_does_not_hold_is_no_recovery() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 120)), heal_s=60.0))
    found = verdict.measurement("rto_train")
    assert found is not None
    assert found.censored
    assert check(verdict, "rto").verdict is Verdict.FAIL


def test_a_run_that_was_stopped_before_its_deadline_says_nothing_of_what_would_have_held_again() -> None:
    story = Story(lives=(Life(0.0, 0, 100),), heal_s=60.0)

    def ended(*events: tuple[float, EventKind, str]) -> Check:
        run = with_events(story, *events)
        unmet = json.dumps({"met": False, "value": 0.0, "no_data": False})
        last = {"t_ns": ns(story.heal_s - 0.2), "kind": EventKind.HYPOTHESIS.value, "object": "advances", "detail": unmet}
        return check(judge(replace(run, events=pl.concat([run.events, pl.DataFrame([last], schema=EVENTS)]).sort("t_ns"))), "hypothesis")

    assert ended().verdict is Verdict.FAIL
    found = ended((story.heal_s - 0.1, EventKind.STOPPED, "SIGTERM"))
    assert (found.verdict, "had not held again when the run was stopped" in found.sentence) == (Verdict.INCONCLUSIVE, True)


def test_a_control_run_shows_no_impact_and_one_that_stalls_does() -> None:
    calm = Story(lives=(Life(0.0, 0, 250),), kind="none", budgets=Budgets(rpo_steps=0))
    assert check(judged(calm), "impact").verdict is Verdict.PASS
    assert check(judged(replace(calm, lives=Story().lives)), "impact").verdict is Verdict.FAIL
