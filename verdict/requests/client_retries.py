"""What the usual client would have made of it: retries of an SDK, beside what the load saw and never part of a verdict."""

from __future__ import annotations

import numpy as np
import polars as pl

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.users import window

BACKOFFS_NS = (500_000_000, 1_000_000_000)
"""The pauses of the OpenAI SDK before its two retries, without their jitter, which shortens them by up to a quarter."""
TRIED_AGAIN = (408, 409, 429)
"""Statuses of 4xx that it tries again; besides every 5xx, and what got no answer at all."""
OWN_RETRIES = "the load retried by itself: see availability and attempt_availability"


@measure("requests", REQUESTS)
def requests_saved_by_retries(case: Case) -> Value:
    """Bad requests of the fault window that two retries of the usual client would have had answered; see availability_with_retries.

    Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    if case.load.retry.policy != "none":
        return Value(None, OWN_RETRIES)
    t_ns, saved = _saved(case)
    return Value(int(np.count_nonzero(saved & (t_ns >= case.recovery.fault_ns) & (t_ns < case.recovery.end_ns))))


@measure("ratio", REQUESTS)
def availability_with_retries(case: Case) -> Value:
    """Share of the fault window's requests that a client with two retries would have had answered, however late. Never in the verdict.

    The model: a request that failed is asked again 0.5 s after it failed, and once more 1 s after that failed, as the OpenAI SDK does
    (max_retries 2, exponential back-off; it tries again after no answer, 408, 409, 429 and 5xx). A retry is as good as the request that
    a user of the record asked next at that time, and takes as long to fail. A retry after the last request of the record fails. An answer
    that was late, wrong or broken off after its headers is not asked again, since the SDK hands it on. Retries add load, which the model
    leaves out. Source: requests, schedule.
    """
    saved = requests_saved_by_retries(case)
    if saved.value is None:
        return saved
    good = window(case)
    return Value((np.count_nonzero(good) + saved.value) / len(good)) if len(good) else Value(None, "users asked for nothing then")


def _saved(case: Case) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return when each recorded request was asked (ns, ascending), and whether it was bad and a retry would have had it answered."""
    status = pl.col("status")
    again = (pl.col("outcome") != "ok") & (status.is_null() | (status >= 500) | status.is_in(TRIED_AGAIN))
    rows = case.run.requests.select(
        t_ns=pl.col("intended_ns").fill_null(0), took_ns=(pl.col("done_ns") - pl.col("intended_ns")).fill_null(0), failed=again
    )
    frame = rows.with_columns(pl.Series("good", case.attempts.good)).sort("t_ns", maintain_order=True)
    t_ns, took_ns, good = (frame[name].to_numpy() for name in ("t_ns", "took_ns", "good"))
    failed = frame["failed"].fill_null(value=False).to_numpy() & ~good
    saved, pending = np.zeros(len(t_ns), dtype=np.bool_), np.flatnonzero(failed)
    ended_ns = t_ns[pending] + took_ns[pending]
    for pause_ns in BACKOFFS_NS:
        then = np.searchsorted(t_ns, ended_ns + pause_ns)
        asked = then < len(t_ns)
        pending, then, begun_ns = pending[asked], then[asked], ended_ns[asked] + pause_ns
        saved[pending[good[then]]] = True
        pending, ended_ns = pending[failed[then]], begun_ns[failed[then]] + took_ns[then[failed[then]]]
    return t_ns, saved
