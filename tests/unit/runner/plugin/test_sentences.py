"""The failing assertion is one sentence: number, budget, likely cause and where the report is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from history.layout import Advice
from history.plan import Expect
from history.result import Check, RunVerdict, Verdict
from runner.plugin.sentences import failed

PAGE = Path("/out/latest/experiments/serving-gpu-lost.html")
END = f"; report: {PAGE}"
RTO = Check(name="rto", verdict=Verdict.FAIL, sentence="Served again after 40 s.", measured=40, budget=30, unit="s")
SHARE = Check(name="availability", verdict=Verdict.FAIL, sentence="Too few.", measured=0.91, budget=0.97, unit="ratio")
BLIND = Check(name="readiness", verdict=Verdict.INCONCLUSIVE, sentence="Nobody looked.")
CAUSE = Advice(
    cause="health", where="Deployment inference", field="readinessProbe", sentence="Its health check asks no engine.", explains_s=30
)


def verdict(word: str, *checks: Check, sentence: str = "Served again\nafter 40 s.", advice: tuple[Advice, ...] | None = None) -> RunVerdict:
    fields: dict[str, Any] = {"run_id": "r", "complete": True, "measurements": ()}
    return RunVerdict(verdict=Verdict(word), sentence=sentence, checks=checks, advice=advice, **fields)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (verdict("FAIL", RTO), "FAIL: RTO 40 s (limit 30 s)"),
        (verdict("FAIL", RTO, SHARE), "FAIL: RTO 40 s (limit 30 s), Availability after the fault 91 % (at least 97 %)"),
        (verdict("FAIL", RTO, BLIND), "FAIL: RTO 40 s (limit 30 s), and 1 more check that is not PASS"),
        (verdict("FAIL", RTO.model_copy(update={"censored": True})), "FAIL: RTO > 40 s (limit 30 s)"),
        (verdict("FAIL", RTO.model_copy(update={"workload": "chat"})), "FAIL: chat: RTO 40 s (limit 30 s)"),
        (
            verdict("FAIL", RTO, advice=(CAUSE,)),
            "FAIL: RTO 40 s (limit 30 s); likely cause: Its health check asks no engine (Deployment inference: readinessProbe)",
        ),
        (
            verdict("FAIL", RTO, advice=()),
            "FAIL: RTO 40 s (limit 30 s); likely cause: none of those that are known",
        ),
        (verdict("FAIL", BLIND), "FAIL: Served again after 40 s"),
        (verdict("INCONCLUSIVE", RTO, BLIND), "INCONCLUSIVE: Served again after 40 s"),
    ],
)
def test_a_failure_is_one_sentence_on_one_line(found: RunVerdict, says: str) -> None:
    assert failed(found, Expect(), (), PAGE) == says + END


def test_what_was_expected_and_what_waivers_say_are_part_of_it() -> None:
    expected = Expect(verdict="FAIL", check="rto")
    assert (
        failed(verdict("PASS"), expected, (), PAGE) == f"FAIL by check rto was expected, and it came out PASS: Served again after 40 s{END}"
    )
    red = ("rto: the waiver T-1 of o has expired.",)
    assert failed(verdict("FAIL", RTO), Expect(), red, PAGE) == f"FAIL: RTO 40 s (limit 30 s); rto: the waiver T-1 of o has expired{END}"
