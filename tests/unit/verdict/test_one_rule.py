"""A figure of a training job over its budget by less than it can be read to is too close to call; of requests see test_interval."""

from __future__ import annotations

import pytest

from history.budgets import Budgets
from history.result import RunVerdict, Verdict
from testing.histories.training_stories import Story, check, judged, value


def training(budget_s: float) -> RunVerdict:
    return judged(Story(budgets=Budgets(rto_s=budget_s)))


@pytest.mark.parametrize(("resolutions_over", "verdict"), [(2.0, Verdict.FAIL), (0.5, Verdict.INCONCLUSIVE), (-0.5, Verdict.INCONCLUSIVE)])
def test_over_the_budget_within_the_resolution_is_inconclusive(resolutions_over: float, verdict: Verdict) -> None:
    roomy = training(1000.0)
    rto_s, fine_s = value(roomy, "rto"), value(roomy, "rto_resolution")
    assert check(training(rto_s - resolutions_over * fine_s), "rto").verdict is verdict
