"""Answers that are known, that nobody knows, and of which some may differ: what is judged of each."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.answers import AnswerRule
from history.reader import Run
from history.result import Check, RunVerdict, Verdict
from testing.histories.edits import at, change_rows, with_plan
from tests.unit.verdict.conftest import HIT, NULL, check_of, measured, run_of
from verdict import judge
from verdict.shared.differing import Compared
from verdict.statistics import chance_of_as_many

ONE_PERCENT = AnswerRule(mode="exact", may_differ=0.01)
UNKNOWN = AnswerRule(mode="unknown")
EVERY_ROW = pl.lit(value=True)
FIRST = 2500  # a request after recovery


def differing(run: Run, start_s: float, most: int, every: int = 1, rule: AnswerRule = ONE_PERCENT) -> Run:
    """Return ``run`` with some good answers to requests from ``start_s`` on (s after the fault) differing from the known ones."""
    good = run.requests.filter(pl.col("valid") & (pl.col("intended_ns") >= at(start_s)))["request_id"].sort()
    chosen = good.gather_every(every)[:most].implode()
    return with_plan(change_rows(run, pl.col("request_id").is_in(chosen), valid=False), answers=rule)


def rpo(run: Run) -> Check:
    return check_of(judge(run), "rpo_requests")


def names(verdict: RunVerdict) -> set[str]:
    return {check.name for check in verdict.checks}


@pytest.mark.parametrize("world", [HIT, NULL])
def test_what_nobody_knows_is_not_checked_and_makes_nothing_inconclusive(world: object) -> None:
    assert isinstance(world, type(HIT))
    verdict = judge(with_plan(change_rows(run_of(world), EVERY_ROW, valid=None), answers=UNKNOWN))
    assert verdict.verdict is Verdict.PASS
    assert "rpo_requests" not in names(verdict)
    for name in ("requests_lost", "answers_wrong"):
        found = verdict.measurement(name)
        assert found is not None
        assert (found.value, found.sentence) == (None, "not checked: the right answers are not known")


def test_in_a_run_of_before_what_could_not_be_checked_is_inconclusive() -> None:
    run = change_rows(run_of(HIT), EVERY_ROW, valid=None)
    assert run.plan.requests.answers.mode is None
    assert rpo(run).verdict is Verdict.INCONCLUSIVE
    assert "give every prompt its completion" in rpo(run).sentence


def test_a_verdict_does_not_rest_on_a_budget_that_nobody_can_judge() -> None:
    run = with_plan(change_rows(run_of(HIT), EVERY_ROW, valid=None), answers=UNKNOWN)
    only = {"rto_s": None, "availability": None, "p95_ratio": None, "capacity_rto_s": None}
    assert rpo(with_plan(run, budgets=only)).verdict is Verdict.INCONCLUSIVE
    assert "The only budget is about the content of answers" in judge(with_plan(run, budgets=only)).sentence
    assert "rpo_requests" not in names(judge(with_plan(run, budgets=only | {"availability": 0.05})))


@pytest.mark.parametrize("start_s", [-10, 5])
def test_one_answer_that_differs_is_allowed_where_the_class_allows_a_share(start_s: float) -> None:
    verdict = judge(differing(run_of(HIT), start_s, most=1))
    assert verdict.verdict is Verdict.PASS
    assert "The fault did not raise it" in check_of(verdict, "rpo_requests").sentence
    strict = judge(differing(run_of(HIT), start_s, most=1, rule=AnswerRule(mode="exact")))
    assert strict.verdict is (Verdict.INCONCLUSIVE if start_s < 0 else Verdict.FAIL)


def test_an_allowed_difference_makes_no_request_bad() -> None:
    run = differing(run_of(HIT), 5, most=10)
    assert measured(run, "requests_bad").value == measured(run_of(HIT), "requests_bad").value
    assert measured(run, "answers_wrong").value == measured(run, "requests_lost").value == 10
    assert measured(with_plan(run, answers=AnswerRule()), "requests_bad").value == (measured(run_of(HIT), "requests_bad").value or 0) + 10


def test_the_share_is_measured_before_and_after() -> None:
    run = differing(run_of(HIT), -15, most=10_000, every=100)
    before, after = measured(run, "differing_before").value, measured(run, "differing_after").value
    assert before == pytest.approx(0.01, abs=0.002)
    assert after == pytest.approx(0.01, abs=0.002)
    assert measured(with_plan(change_rows(run, EVERY_ROW, valid=None), answers=UNKNOWN), "differing_after").value is None


def test_a_share_that_the_fault_raised_fails_even_within_what_is_allowed() -> None:
    roomy = AnswerRule(mode="exact", may_differ=0.5)
    check = rpo(differing(run_of(HIT), 5, most=10_000, every=20, rule=roomy))
    assert check.verdict is Verdict.FAIL
    assert "The fault raised it" in check.sentence


def test_wrong_weights_are_found_whatever_may_differ() -> None:
    assert rpo(differing(run_of(HIT), 4, most=100_000)).verdict is Verdict.FAIL


def test_a_baseline_in_which_more_differ_than_is_allowed_supports_nothing() -> None:
    verdict = judge(differing(run_of(HIT), -15, most=100_000, every=20))
    assert check_of(verdict, "baseline").verdict is Verdict.INCONCLUSIVE
    assert "differ from the known ones, the class allows 1 %" in check_of(verdict, "baseline").sentence
    assert check_of(verdict, "rpo_requests").verdict is Verdict.FAIL


def test_more_than_is_allowed_that_may_be_chance_says_what_to_change() -> None:
    run = run_of(HIT)
    after = run.requests.filter((pl.col("done_ns") >= at(0)) & pl.col("valid")).height
    slightly = round(after * 0.01) + 2
    run = differing(differing(run, 5, most=slightly), -15, most=slightly - 2)
    check = rpo(run)
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "raise the rate or hold longer to tell, or allow more" in check.sentence


def test_too_few_answers_say_nothing_of_a_share() -> None:
    check = rpo(differing(run_of(replace(HIT, rate_rps=10.0)), 5, most=1))
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "To say so takes 299 of them before and after: raise the rate, or hold longer." in check.sentence


def test_of_a_class_whose_answers_may_differ_those_that_nobody_could_check_are_a_doubt() -> None:
    run = change_rows(differing(run_of(HIT), 5, most=1), pl.col("request_id") == FIRST + 50, valid=None)
    assert rpo(run).verdict is Verdict.INCONCLUSIVE
    assert "1 of" in rpo(run).sentence


def test_a_right_beginning_does_not_show_that_nothing_is_missing() -> None:
    run = change_rows(run_of(HIT), pl.col("request_id").is_in([FIRST, FIRST + 1]), valid=True, tokens=5)
    assert measured(with_plan(run, answers=AnswerRule(mode="prefix")), "answers_claimed").value == 2
    assert measured(with_plan(run, answers=AnswerRule(mode="exact")), "answers_claimed").value == 0


@pytest.mark.parametrize(
    ("before", "after", "chance"),
    [
        ((0, 5), (5, 5), 1 / 252),  # all five hits fall into the second half of ten
        ((4, 10), (4, 10), 0.67504),
        ((0, 300), (0, 100), 1.0),
        ((5, 5), (5, 5), 1.0),
        ((3, 10), (0, 0), 1.0),
        ((1, 1_000_000), (900_000, 1_000_000), 0.0),
    ],
)
def test_the_chance_of_as_many(before: tuple[int, int], after: tuple[int, int], chance: float) -> None:
    assert chance_of_as_many(*before, *after) == pytest.approx(chance, abs=1e-4)


def test_no_more_hits_than_trials() -> None:
    with pytest.raises(ValueError, match="no more hits than trials"):
        chance_of_as_many(0, 3, 4, 3)


def test_a_share_is_surely_more_only_with_enough_of_them() -> None:
    assert not Compared(0, 0).surely_more_than(0.01)
    assert not Compared(1, 50).surely_more_than(0.01)
    assert Compared(10, 100).surely_more_than(0.01)
    assert not Compared(2, 300).raised_from(Compared(1, 300))
    assert Compared(20, 300).raised_from(Compared(1, 300))
