"""Whether a run came out as its experiment expects, by the check that is named."""

from __future__ import annotations

import pytest

from history.plan import Expect
from history.result import Check, RunVerdict, Verdict, as_expected

CAUGHT = Expect(verdict="FAIL", check="rto")


@pytest.mark.parametrize("caught", [0, 1])
def test_of_two_workloads_either_may_fail_the_check_that_was_expected_to(caught: int) -> None:
    checks = [
        Check(name="rto", verdict=Verdict.FAIL if number == caught else Verdict.PASS, sentence="It took so long.", workload=workload)
        for number, workload in enumerate(("realtime-inference", "batch-training"))
    ]
    verdict = RunVerdict(run_id="r", verdict=Verdict.FAIL, sentence="", complete=True, checks=tuple(checks), measurements=())
    assert as_expected(verdict, CAUGHT)
    assert not as_expected(verdict, Expect(verdict="FAIL", check="availability"))
    assert not as_expected(verdict.model_copy(update={"verdict": Verdict.INCONCLUSIVE}), CAUGHT)
    assert not as_expected(verdict, Expect())
