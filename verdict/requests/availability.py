"""The share of requests that were good after the fault, over a window that does not move with what is measured."""

from __future__ import annotations

import math

import numpy as np

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.attempts import Bools
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.window import of_fault
from verdict.words import plain, seconds

SIGMAS = 3
"""So many standard deviations more requests than the rate says may come in what was not watched."""


@measure("ratio", REQUESTS)
def availability(case: Case) -> Value:
    """Share of good requests among those under way at t_fault and those asked in the window after it.

    The window is that of the budget: its own, else the RTO budget, else 60 s. It ends earlier if watching did, which is said. Requests
    count by when users asked, not by when they were answered. Source: requests.
    """
    good = counted(case)
    if not len(good):
        return NO_FAULT if case.recovery is None else Value(None, "users asked for nothing in the window after the fault")
    short = missing_s(case)
    said = f"watched {seconds(window_s(case) - short)} of the window of {plain(window_s(case))}" if short else ""
    return Value(float(good.mean()), said)


@measure("ratio", REQUESTS)
def attempt_availability(case: Case) -> Value:
    """Share of good attempts among all that were sent, retries and hedges included, for the requests of ``availability``.

    Beside ``availability`` it shows what retries hid from users. Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    attempts, fault_ns = case.attempts, case.recovery.fault_ns
    asked_after = (attempts.intended_ns >= fault_ns) & (attempts.intended_ns < end_ns(case))
    inside = attempts.sent & (asked_after | ((attempts.intended_ns < fault_ns) & (attempts.decided_ns >= fault_ns)))
    return Value(float(attempts.good[inside].mean())) if inside.any() else Value(None, "nothing was sent in the window after the fault")


def window_s(case: Case) -> float:
    """Return how long after the fault availability is counted (s)."""
    return case.workload.budgets.availability_window_s


def end_ns(case: Case) -> int:
    """Return the end of what was watched of the window (ns)."""
    assert case.recovery is not None, "there is a window only after a fault"  # noqa: S101 - told by who asks
    return min(case.recovery.fault_ns + int(window_s(case) * 1e9), case.recovery.watched_ns)


def missing_s(case: Case) -> float:
    """Return how much of the window was not watched (s)."""
    if case.recovery is None:
        return 0.0
    return max(0.0, window_s(case) - (case.recovery.watched_ns - case.recovery.fault_ns) / 1e9)


@once
def counted(case: Case) -> Bools:
    """Return which of the requests that availability counts were good, in the order in which users asked (empty: no fault)."""
    return case.arrivals.good[of_fault(case, end_ns(case))] if case.recovery else np.zeros(0, dtype=np.bool_)


def still_to_come(case: Case) -> tuple[int, int]:
    """Return how many requests the rest of the window brings, by the offered rate, at least and at most; (0, 0) if all was watched."""
    mean = missing_s(case) * case.audit.summary.offered_rps
    reach = SIGMAS * math.sqrt(mean)
    return max(0, math.floor(mean - reach)), math.ceil(mean + reach)
