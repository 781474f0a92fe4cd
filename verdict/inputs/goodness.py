"""When one attempt, and hence one request of a user, counts as good."""

from __future__ import annotations

import polars as pl

from history.schema import Outcome
from history.workloads import Slo


def good_request(stream: pl.Expr, slo: Slo, *, may_differ: bool = False) -> pl.Expr:
    """Return whether an attempt was good: answered, right, whole, and in time since the user asked.

    Answered: its outcome is ``ok``, with a status of 2xx. Right and whole: the answer is complete and not known to be wrong. In time: the
    last byte came within ``slo.latency_ms``. A streamed answer is in time if its first token came within ``slo.ttft_ms`` and no silence
    between tokens was longer than ``slo.max_gap_ms``. Time counts from when the user asked (``intended_ns``), never from when the request
    was sent. A value that is missing satisfies nothing.

    A user's request is good if any of its attempts is; retries and hedges share ``intended_ns``. Unknown counts as bad, and so does a
    scheduled request without a row.

    Args:
        stream: whether the request was streamed.
        slo: limits in ms.
        may_differ: some answers may differ from the known ones at any time, so that this alone makes no request bad.

    """
    return (
        answered_right(may_differ=may_differ) & (felt_latency_ms(stream, slo) <= limit_ms(stream, slo)) & _no_long_gap(stream, slo)
    ).fill_null(value=False)


def acknowledged() -> pl.Expr:
    """Return whether the platform said that an attempt was served: a complete answer with a status of 2xx that can be read."""
    served = pl.col("outcome") == Outcome.OK.value
    return (pl.col("complete") & served & pl.col("status").is_between(200, 299)).fill_null(value=False)


def answered_right(*, may_differ: bool = False) -> pl.Expr:
    """Return whether an attempt was served, however late, and its answer is not known to be wrong (null: it could not be checked)."""
    return acknowledged() if may_differ else acknowledged() & ~answered_wrong()


def answered_wrong() -> pl.Expr:
    """Return whether an attempt was served by an answer that is known to be wrong."""
    return acknowledged() & ~pl.col("valid").fill_null(value=True)


def felt_latency_ms(stream: pl.Expr, slo: Slo) -> pl.Expr:
    """Return what the SLO limits (ms since the user asked): the last byte, or the first token of a stream if ``slo.ttft_ms`` is set."""
    last = (pl.col("done_ns") - pl.col("intended_ns")) / 1e6
    if slo.ttft_ms is None:
        return last
    return pl.when(stream).then((pl.col("first_byte_ns") - pl.col("intended_ns")) / 1e6).otherwise(last)


def limit_ms(stream: pl.Expr, slo: Slo) -> pl.Expr:
    """Return the limit on :func:`felt_latency_ms`."""
    return pl.lit(slo.latency_ms) if slo.ttft_ms is None else pl.when(stream).then(slo.ttft_ms).otherwise(slo.latency_ms)


def tightest_limit_ms(slo: Slo) -> float:
    """Return the smallest latency that the SLO allows any request (ms)."""
    return min(slo.latency_ms, slo.ttft_ms or slo.latency_ms)


def longest_limit_ms(slo: Slo) -> float:
    """Return the largest latency that the SLO allows any request (ms)."""
    return max(slo.latency_ms, slo.ttft_ms or slo.latency_ms)


def _no_long_gap(stream: pl.Expr, slo: Slo) -> pl.Expr:
    if slo.max_gap_ms is None:
        return pl.lit(value=True)
    return pl.when(stream).then(pl.col("max_gap_ms") <= slo.max_gap_ms).otherwise(pl.lit(value=True))
