"""Each retry policy by itself: attempts are played from a table, nothing is sent."""

from __future__ import annotations

from typing import Any

import pytest

from history.prompts import Prompt
from history.schema import Outcome
from history.workloads import Load, Mix
from workloads.load.client import LOAD_ENDED, Row
from workloads.load.exchange import Call
from workloads.load.retries import Budget, final, policy_of

CALL = Call(request_id=0, intended_ns=0, stream=False, prompt=Prompt("p", None), max_tokens=1)


def row(outcome: Outcome, status: int | None = None, error: str | None = None, sent_ns: int | None = 1) -> Row:
    return {"outcome": outcome.value, "status": status, "error": error, "sent_ns": sent_ns}


OK, FAILED = row(Outcome.OK, 200), row(Outcome.FAIL, 503, "HTTP 503")


def load(**retry: Any) -> Load:
    fields = {"url": "http://h", "model": "m", "mix": (Mix(weight=1, max_tokens=(1, 1)),), "prompts": "p", "in_flight_cap": 9}
    return Load.model_validate(fields | {"rate_rps": 10.0, "horizon_s": 1.0, "seed": 1, "timeout_s": 1, "retry": retry})


class Attempts:
    """Answers of attempts 0, 1, … of every call; the last one for all further."""

    def __init__(self, *rows: Row) -> None:
        self._rows = rows
        self.numbers: list[int] = []

    def __call__(self, _call: Call, number: int) -> Row:
        self.numbers.append(number)
        return self._rows[min(number, len(self._rows) - 1)]


@pytest.mark.parametrize(
    ("rows", "made"),
    [
        ((OK,), [0]),
        ((FAILED, OK), [0, 1]),
        ((FAILED,), [0, 1, 2]),
        ((row(Outcome.FAIL, 400),), [0]),
        ((row(Outcome.FAIL, 429), OK), [0, 1]),
    ],
)
@pytest.mark.parametrize("policy", ["naive", "hedged"])
def test_attempts_end_when_served_or_spent_or_at_fault(policy: str, rows: tuple[Row, ...], made: list[int]) -> None:
    attempts = Attempts(*rows)
    policy_of(load(policy=policy, max_attempts=3, backoff_ms=1, hedge_after_ms=60_000), attempts, 0)(CALL)
    assert attempts.numbers == made


def test_without_retries_there_is_one_attempt() -> None:
    attempts = Attempts(FAILED)
    policy_of(load(policy="none"), attempts, 0)(CALL)
    assert attempts.numbers == [0]


def test_a_budget_allows_its_share_of_first_attempts() -> None:
    attempts = Attempts(FAILED)
    carry = policy_of(load(policy="budgeted", max_attempts=3, backoff_ms=1, budget_ratio=0.25), attempts, 0)
    for _ in range(40):
        carry(CALL)
    assert (attempts.numbers.count(0), len(attempts.numbers)) == (40, 50)


def test_credit_is_kept_up_to_a_ceiling_of_at_least_one() -> None:
    budget = Budget(ratio=0.5, ceiling=0.1)
    for _ in range(10):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("attempt", "is_final"),
    [
        (OK, True),
        (FAILED, False),
        (row(Outcome.FAIL, 404), True),
        (row(Outcome.FAIL, 408), False),
        (row(Outcome.UNKNOWN), False),
        (row(Outcome.UNKNOWN, error=LOAD_ENDED), True),
        (row(Outcome.FAIL, error="in-flight cap", sent_ns=None), True),
    ],
)
def test_what_no_attempt_follows(attempt: Row, is_final: bool) -> None:
    assert final(attempt) is is_final
