"""A job that goes on with fewer ranks than its reference has: bits are compared up to there, losses from there on."""

from __future__ import annotations

from math import inf

import pytest

from history.result import Verdict
from testing.histories.training_stories import JOB, Life, Story, check, frame, judged, rows_of
from verdict.inputs.training_job import training_job_of
from verdict.training.resized import comparable_until, losses_of

OTHER = 95  # bits differ from there on
FEWER = Life(24.0, 90, 250, ranks=2, wrong_from=OTHER, loss=1.04)


def test_fewer_ranks_are_judged_by_their_losses() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100), FEWER)))
    assert verdict.verdict is Verdict.PASS, [one for one in verdict.checks if one.verdict is not Verdict.PASS]
    said = check(verdict, "state").sentence
    assert "equals an undisturbed run's up to step 100; from step 91 on" in said
    assert "Over 160 steps from there the mean loss is 1.04, an undisturbed run's 1: 4.0 % apart" in said


@pytest.mark.parametrize(
    ("life", "name", "expected"),
    [
        (Life(24.0, 90, 250, ranks=2, wrong_from=OTHER, loss=1.2), "state", Verdict.FAIL),
        (Life(24.0, 90, 250, ranks=2, wrong_from=OTHER, loss=float("nan")), "state", Verdict.FAIL),
        (Life(24.0, 90, 110, ranks=2, wrong_from=OTHER), "state", Verdict.INCONCLUSIVE),  # 20 steps
        (Life(24.0, 90, 250, ranks=2, wrong_from=OTHER, skip=6), "samples", Verdict.FAIL),  # who sees them changes nothing
        (Life(24.0, 90, 250, wrong_from=OTHER), "state", Verdict.FAIL),  # as many ranks as the reference: bits are due
    ],
)
def test_it_excuses_nothing_else(life: Life, name: str, expected: Verdict) -> None:
    assert check(judged(Story(lives=(Life(0.0, 0, 100), life))), name).verdict is expected


def test_bits_before_the_change_are_still_due() -> None:
    verdict = judged(Story(lives=(Life(0.0, 0, 100, wrong_from=50), FEWER)))
    assert check(verdict, "state").verdict is Verdict.FAIL


def test_what_goes_on_from_other_ranks_inherits_and_what_goes_back_behind_them_does_not() -> None:
    again, behind = Life(50.0, 200, 300, wrong_from=OTHER), Life(80.0, 90, 320, origin=1)
    ledger = training_job_of(JOB, frame(rows_of(Story(lives=(Life(0.0, 0, 100), FEWER, again, behind)))))
    assert comparable_until(ledger) == {1: inf, 2: 90, 3: 90, 4: inf}


def test_a_job_whose_ranks_never_changed_has_no_losses_to_compare() -> None:
    assert losses_of(training_job_of(JOB, frame(rows_of(Story())))) is None
