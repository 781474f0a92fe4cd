"""A figure over its budget by less than it can be read to is too close to call, whatever the run was driven by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from history.budgets import Budgets
from history.result import RunVerdict, Verdict
from testing.histories.training_stories import Story, check, judged, value
from tests.unit.verdict.conftest import HIT, run_of
from verdict import judge


def serving(budget_s: float) -> RunVerdict:
    return judge(run_of(replace(HIT, rto_budget_s=budget_s)))


def training(budget_s: float) -> RunVerdict:
    return judged(Story(budgets=Budgets(rto_s=budget_s)))


@pytest.mark.parametrize("run", [serving, training])
@pytest.mark.parametrize(("resolutions_over", "verdict"), [(2.0, Verdict.FAIL), (0.5, Verdict.INCONCLUSIVE), (-0.5, Verdict.INCONCLUSIVE)])
def test_over_the_budget_within_the_resolution_is_inconclusive(run: object, resolutions_over: float, verdict: Verdict) -> None:
    assert callable(run)
    roomy = run(1000.0)
    rto_s, fine_s = value(roomy, "rto"), value(roomy, "rto_resolution")
    assert check(run(rto_s - resolutions_over * fine_s), "rto").verdict is verdict
