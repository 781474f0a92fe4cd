"""What a client does after a failed attempt: nothing, or one of three contracts that are common in the field.

- ``none``: one attempt.
- ``naive``: try again after a fixed ``backoff_ms``, up to ``max_attempts``.
- ``budgeted``: try again after an exponential back-off with full jitter, as long as retries stay below ``budget_ratio`` of first
  attempts. Credit older than 10 s lapses (as in Finagle's RetryBudget).
- ``hedged``: without an answer after ``hedge_after_ms``, or after a bad one at once, ask again beside it. The first good answer wins,
  and the others are cut off.

Every attempt is a row; a user was served if any attempt was. An answer that says the request is at fault (4xx) is not tried again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import gevent
import gevent.queue
from gevent import Greenlet

from history.schema import Outcome
from history.workloads import Load, Retry
from workloads.load.client import LOAD_ENDED, Row
from workloads.load.exchange import Call, CutOff

CREDIT_S = 10.0
HEDGE_LOST = "HedgeLost: another attempt answered first"
WORTH_TRYING_AGAIN = frozenset({408, 409, 425, 429})  # of 4xx: time-out, conflict, too early, too many requests

Attempt = Callable[[Call, int], Row]
Carry = Callable[[Call], None]


def served(row: Row) -> bool:
    """Tell whether a client takes this for an answer (it cannot know whether it is the right one)."""
    return bool(row["outcome"] == Outcome.OK)


def final(row: Row) -> bool:
    """Tell whether no other attempt follows: served, the request itself at fault, never sent (the cap), or the load has ended."""
    status = row["status"]
    at_fault = status is not None and 400 <= status < 500 and status not in WORTH_TRYING_AGAIN
    return served(row) or at_fault or row["sent_ns"] is None or row["error"] == LOAD_ENDED


def policy_of(load: Load, attempt: Attempt, worker: int) -> Carry:
    """Return what carries one user's request through its attempts under ``load.retry``."""
    retry, rng = load.retry, random.Random(f"{load.seed}-{worker}")  # noqa: S311 - jitter, reproducible by the seed
    match retry.policy:
        case "none":
            return lambda call: void(attempt(call, 0))
        case "naive":
            return lambda call: sequential(call, retry, attempt, lambda _: retry.backoff_ms / 1e3)
        case "budgeted":
            budget = Budget(retry.budget_ratio, ceiling=retry.budget_ratio * load.rate_rps / load.workers * CREDIT_S)
            return lambda call: budgeted(call, retry, attempt, budget, rng)
        case "hedged":
            return lambda call: Hedge(call, retry, attempt).carry()


def void(_row: Row) -> None:
    """Drop a row that was recorded already."""


def sequential(call: Call, retry: Retry, attempt: Attempt, wait_s: Callable[[int], float | None]) -> None:
    """Attempt until one is final or ``max_attempts`` are made; ``wait_s(n)`` is the pause after attempt n, ``None`` to give up."""
    for number in range(retry.max_attempts):
        row = attempt(call, number)
        if final(row) or number + 1 == retry.max_attempts or (pause_s := wait_s(number)) is None:
            return
        gevent.sleep(pause_s)


class Budget:
    """Credit for retries: each first attempt earns ``ratio``, each retry costs 1, at most ``ceiling`` (≥ 1) is kept."""

    def __init__(self, ratio: float, ceiling: float) -> None:
        self._ratio, self._ceiling, self.balance = ratio, max(1.0, ceiling), 0.0

    def earn(self) -> None:
        """Credit one first attempt."""
        self.balance = min(self._ceiling, self.balance + self._ratio)

    def spend(self) -> bool:
        """Pay for one retry, if there is credit."""
        if self.balance < 1:
            return False
        self.balance -= 1
        return True


def budgeted(call: Call, retry: Retry, attempt: Attempt, budget: Budget, rng: random.Random) -> None:
    """Attempt with an exponential, fully jittered back-off while ``budget`` lasts."""
    budget.earn()
    sequential(call, retry, attempt, lambda number: rng.uniform(0, retry.backoff_ms * 2**number) / 1e3 if budget.spend() else None)


class Hedge:
    """Attempts at one request beside each other."""

    def __init__(self, call: Call, retry: Retry, attempt: Attempt) -> None:
        self._call, self._retry, self._attempt = call, retry, attempt
        self._rows: gevent.queue.SimpleQueue[Row] = gevent.queue.SimpleQueue()
        self._running: list[Greenlet] = []
        self._pending = 0

    def carry(self) -> None:
        """Return when one attempt is final or none is left; what still runs is cut off and recorded."""
        reason = HEDGE_LOST
        try:
            self._race()
        except CutOff as stop:
            reason = str(stop)
        finally:
            gevent.killall(self._running, exception=CutOff(reason))

    def _race(self) -> None:
        self._start()
        while self._pending:
            left = self._retry.max_attempts - len(self._running)
            try:
                row = self._rows.get(timeout=self._retry.hedge_after_ms / 1e3 if left else None)
            except gevent.queue.Empty:
                self._start()
                continue
            self._pending -= 1
            if final(row):
                return
            if left:
                self._start()

    def _start(self) -> None:
        self._pending += 1
        self._running.append(gevent.spawn(self._one, len(self._running)))

    def _one(self, number: int) -> None:
        self._rows.put(self._attempt(self._call, number))
