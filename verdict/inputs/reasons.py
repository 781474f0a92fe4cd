"""Why one attempt was not good, and since when that was certain.

An attempt is decided when its answer is whole and in time, or at the first thing that made it bad. So a request belongs to a fault that
struck before it was decided, and each bad one has one reason.
"""

from __future__ import annotations

from enum import IntEnum

import polars as pl

from history.schema import Outcome
from history.workloads import Slo
from verdict.inputs.goodness import acknowledged, felt_latency_ms, limit_ms


class Reason(IntEnum):
    """Why a request was not good: the first thing that made it bad."""

    GOOD = 0
    REFUSED = 1
    """No connection, so that nothing was asked."""
    ERROR = 2
    """An answer that is an error: a status other than 2xx, an error in a stream, one that the server gave up, empty or not readable."""
    CUT = 3
    """The end of the answer was not seen: the connection was closed or reset, or the client gave up."""
    LATE = 4
    """The latency limit of the SLO passed before the answer, or the first token of a streamed one."""
    WRONG = 5
    """A whole answer with a wrong payload."""
    STALLED = 6
    """A stream was silent for longer than the SLO allows between two tokens."""
    UNSENT = 7
    """The load never sent it."""
    UNRECORDED = 8
    """It was due, and the record has no row of it."""

    @property
    def word(self) -> str:
        """Return it as a sentence names it."""
        return self.name.lower()


LATER = (Reason.LATE, Reason.STALLED)
"""Reasons that some requests have while all is well."""
NEVER_NS = 2**62


def decided_ns(stream: pl.Expr, slo: Slo, timeout_s: float) -> pl.Expr:
    """Return when it was certain that an attempt is bad (ns); a good one is decided by its end.

    The earliest of its end, the moment at which its latency limit passed, and the moment at which a silence of its stream became too long.
    An attempt whose end was not seen ends with the load's time-out, one that was never sent when it was due.
    """
    return pl.min_horizontal(_end_ns(timeout_s), _late_ns(stream, slo), _stalled_ns(stream, slo))


def reason_of(stream: pl.Expr, slo: Slo, timeout_s: float) -> pl.Expr:
    """Return why a bad attempt is not good (:class:`Reason`, as a number): what :func:`decided_ns` names first."""
    first = decided_ns(stream, slo, timeout_s)
    return (
        pl.when(pl.col("sent_ns").is_null())
        .then(Reason.UNSENT.value)
        .when(_stalled_ns(stream, slo) <= first)
        .then(Reason.STALLED.value)
        .when(_late_ns(stream, slo) <= first)
        .then(Reason.LATE.value)
        .otherwise(_ending())
        .cast(pl.Int8)
    )


def _ending() -> pl.Expr:
    """Return the reason that lies in how an attempt ended."""
    failed = pl.col("outcome") == Outcome.FAIL.value
    return (
        pl.when(failed & pl.col("status").is_null() & pl.col("complete").is_null())
        .then(Reason.REFUSED.value)
        .when((pl.col("outcome") == Outcome.UNKNOWN.value).fill_null(value=True))
        .then(Reason.CUT.value)
        .when(acknowledged() & ~pl.col("valid").fill_null(value=True))
        .then(Reason.WRONG.value)
        .otherwise(Reason.ERROR.value)
    )


def _end_ns(timeout_s: float) -> pl.Expr:
    unseen = pl.when(pl.col("sent_ns").is_null()).then(pl.col("intended_ns")).otherwise(pl.col("intended_ns") + int(timeout_s * 1e9))
    return pl.coalesce(pl.col("done_ns"), unseen, pl.lit(NEVER_NS))


def _late_ns(stream: pl.Expr, slo: Slo) -> pl.Expr:
    """Return when the latency limit passed, if it did before the answer (or its first token) came."""
    limit, felt = limit_ms(stream, slo), felt_latency_ms(stream, slo)
    passed = pl.col("intended_ns") + (limit * 1e6).cast(pl.Int64)
    return pl.when(felt <= limit).then(NEVER_NS).otherwise(passed).fill_null(NEVER_NS)


def _stalled_ns(stream: pl.Expr, slo: Slo) -> pl.Expr:
    """Return when the longest silence of a stream became too long, if it did; in older runs, as if it had ended with the stream."""
    if slo.max_gap_ms is None:
        return pl.lit(NEVER_NS)
    began = pl.coalesce(pl.col("gap_end_ns"), pl.col("done_ns")) - (pl.col("max_gap_ms") * 1e6).cast(pl.Int64)
    too_long = stream & (pl.col("max_gap_ms") > slo.max_gap_ms)
    return pl.when(too_long).then(began + int(slo.max_gap_ms * 1e6)).otherwise(NEVER_NS).fill_null(NEVER_NS)
