"""How many requests were not good because of the fault, and why: each for one reason, so that the parts make the whole."""

from __future__ import annotations

import numpy as np

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.attempts import Ints
from verdict.inputs.reasons import Reason
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.window import bad_of_fault, of_fault
from verdict.words import count, listed


@measure("requests", REQUESTS)
def requests_asked(case: Case) -> Value:
    """How many requests of users were under way at t_fault, or asked from then until watching ended: those that requests_bad are among.

    Source: requests, schedule.
    """
    return Value(len(of_fault(case, case.recovery.watched_ns))) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def requests_bad(case: Case) -> Value:
    """How many requests of users were not good, of those under way at t_fault and those asked from then until watching ended.

    Each has one reason, the first thing that made it bad; bad_refused, bad_error, bad_cut, bad_late, bad_wrong, bad_stalled, bad_unsent and
    bad_unrecorded add up to it. Source: requests, schedule.
    """
    return Value(len(bad_of_fault(case))) if case.recovery else NO_FAULT


@measure("requests", REQUESTS)
def bad_refused(case: Case) -> Value:
    """Bad requests to which no connection was made. Source: requests."""
    return _of(case, Reason.REFUSED)


@measure("requests", REQUESTS)
def bad_error(case: Case) -> Value:
    """Bad requests that were answered by an error: a status other than 2xx, an error in a stream, or no whole answer by its own word.

    An answer that the server gave up, that holds no token or that cannot be read is an error, too. Source: requests.
    """
    return _of(case, Reason.ERROR)


@measure("requests", REQUESTS)
def bad_cut(case: Case) -> Value:
    """Bad requests whose answer ended unseen: connection closed or reset, or given up by the client, before they were late or stalled.

    Source: requests.
    """
    return _of(case, Reason.CUT)


@measure("requests", REQUESTS)
def bad_late(case: Case) -> Value:
    """Bad requests whose latency limit passed before the answer, or its first token, whatever became of them then. Source: requests."""
    return _of(case, Reason.LATE)


@measure("requests", REQUESTS)
def bad_wrong(case: Case) -> Value:
    """Bad requests with a whole answer in time that was wrong. Source: requests."""
    return _of(case, Reason.WRONG)


@measure("requests", REQUESTS)
def bad_stalled(case: Case) -> Value:
    """Bad requests whose stream was silent for longer than the SLO allows, whatever became of it then. Source: requests."""
    return _of(case, Reason.STALLED)


@measure("requests", REQUESTS)
def bad_unsent(case: Case) -> Value:
    """Bad requests that the load never sent, which is a fault of the measurement. Source: requests."""
    return _of(case, Reason.UNSENT)


@measure("requests", REQUESTS)
def bad_unrecorded(case: Case) -> Value:
    """Bad requests that were scheduled and have no row, so that nobody knows what became of them. Source: requests, schedule."""
    return _of(case, Reason.UNRECORDED)


@measure("s", REQUESTS)
def bad_seconds(case: Case) -> Value:
    """requests_bad / offered rate: for how long nobody would have been served, had all of them been asked in a row.

    It is a lower bound if users were not seen to be served again. Source: requests, schedule.
    """
    rate_rps = case.audit.summary.offered_rps
    if case.recovery is None or not rate_rps:
        return NO_FAULT if case.recovery is None else Value(None, "nothing was offered")
    return Value(len(bad_of_fault(case)) / rate_rps, censored=case.recovery.recovered_ns is None)


def in_words(case: Case, bad: Ints) -> str:
    """Return how many requests were bad, and why: ``12 requests were bad (9 late, 3 cut)``."""
    why = counts(case, bad)
    reasons = listed((f"{number:,} {reason.word}" for reason, number in why), most=len(Reason))
    return f"{count(len(bad), 'request was', 'requests were')} bad" + (f" ({reasons})" if why else "")


def counts(case: Case, bad: Ints) -> list[tuple[Reason, int]]:
    """Return how many of the arrivals ``bad`` have each reason, the commonest first; reasons of none are left out."""
    by_code = np.bincount(case.arrivals.reason[bad], minlength=len(Reason))
    found = [(reason, int(by_code[reason])) for reason in Reason if by_code[reason]]
    return sorted(found, key=lambda one: -one[1])


def _of(case: Case, reason: Reason) -> Value:
    if case.recovery is None:
        return NO_FAULT
    return Value(int(np.count_nonzero(case.arrivals.reason[bad_of_fault(case)] == reason)))
