"""What the usual client would have made of it: retries of an SDK, beside what the load saw and never part of a verdict."""

from __future__ import annotations

import numpy as np
import polars as pl

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.attempts import Ints
from verdict.requests.availability import counted, end_ns
from verdict.shared.once import once
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.window import of_fault

BACKOFFS_NS = (500_000_000, 1_000_000_000)
"""The pauses of the OpenAI SDK before its two retries, without their jitter, which shortens them by up to a quarter."""
TRIED_AGAIN = (408, 409, 429)
"""Statuses of 4xx that it tries again; besides every 5xx, and what got no answer at all."""
OWN_RETRIES = "the load retried by itself: see availability and attempt_availability"


@measure("requests", REQUESTS)
def requests_saved_by_retries(case: Case) -> Value:
    """Bad requests that count in availability and that two retries would have had answered; see availability_with_retries.

    Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    if case.load.retry.policy != "none":
        return Value(None, OWN_RETRIES)
    asked = of_fault(case, end_ns(case))
    bad = asked[~case.arrivals.good[asked]]
    return Value(int(np.isin(case.arrivals.scheduled[bad], _saved(case)).sum()))


@measure("ratio", REQUESTS)
def availability_with_retries(case: Case) -> Value:
    """Share of availability's requests that a client with two retries would have had answered, however late. Never in the verdict.

    The model: a request that failed is asked again 0.5 s after it failed, and once more 1 s after that failed, as the OpenAI SDK does
    (max_retries 2, exponential back-off; it tries again after no answer, 408, 409, 429 and 5xx). A retry is as good as the request that
    a user of the record asked next at that time, and takes as long to fail. A retry after the last request of the record fails. An answer
    that was late, wrong or broken off after its headers is not asked again, since the SDK hands it on. Retries add load, which the model
    leaves out. Source: requests, schedule.
    """
    saved = requests_saved_by_retries(case)
    if saved.value is None:
        return saved
    good = counted(case)
    return Value((np.count_nonzero(good) + saved.value) / len(good)) if len(good) else Value(None, "users asked for nothing then")


@once
def _saved(case: Case) -> Ints:
    """Return which requests (rows of the schedule) were bad, though a retry would have had them answered."""
    status = pl.col("status")
    again = (pl.col("outcome") != "ok") & (status.is_null() | (status >= 500) | status.is_in(TRIED_AGAIN))
    rows = case.run.requests.select(
        t_ns=pl.col("intended_ns").fill_null(0),
        took_ns=(pl.col("done_ns") - pl.col("intended_ns")).fill_null(0),
        failed=again.fill_null(value=False),
    )
    order = np.argsort(
        rows["t_ns"].to_numpy(), kind="stable"
    )  # one column at a time: of a million rows, a sorted table would stand beside this one
    t_ns, took_ns, failed = (rows[name].to_numpy()[order] for name in ("t_ns", "took_ns", "failed"))
    good = case.attempts.good[order]
    failed &= ~good
    saved, pending = np.zeros(len(t_ns), dtype=np.bool_), np.flatnonzero(failed)
    ended_ns = t_ns[pending] + took_ns[pending]
    for pause_ns in BACKOFFS_NS:
        then = np.searchsorted(t_ns, ended_ns + pause_ns)
        asked = then < len(t_ns)
        pending, then, begun_ns = pending[asked], then[asked], ended_ns[asked] + pause_ns
        saved[pending[good[then]]] = True
        pending, ended_ns = pending[failed[then]], begun_ns[failed[then]] + took_ns[then[failed[then]]]
    return case.attempts.position[order[saved]]
