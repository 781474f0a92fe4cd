"""Streams under way that a fault cut or froze: users whom no later arrival speaks for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from verdict.case import Case
from verdict.inputs.attempts import Bools, Floats, Ints
from verdict.inputs.recovery import Recovery


@dataclass(frozen=True, slots=True)
class Hurt:
    """Streams that stood still for longer than the SLO's ``max_gap_ms``, or were cut; arrays of shape (n,), times in ns."""

    begin_ns: Ints  # of the silence; of a cut stream its end
    end_ns: Ints
    before: Bools  # asked for before the fault
    sure_ns: Floats  # the outage lasted at least to here (-inf: not known)

    def __len__(self) -> int:
        return len(self.end_ns)

    def by(self, t_ns: float) -> Hurt:
        """Return those that count where an outage seemed to be over at ``t_ns``.

        What was asked for before the fault is hurt by it however late; the others count if they already stood still then.
        """
        counted = self.before | (self.begin_ns <= t_ns)
        return Hurt(self.begin_ns[counted], self.end_ns[counted], self.before[counted], self.sure_ns[counted])

    @property
    def until_ns(self) -> float:
        """When the last of them went on, or was cut (-inf: there is none)."""
        return float(self.end_ns.max()) if len(self) else -np.inf

    def surely_until(self, least: int) -> float:
        """Return until when at least ``least`` of them show that nothing went on (-inf: so many do not)."""
        return float(np.sort(self.sure_ns)[-least]) if len(self) >= least else -np.inf


def hurt_under_way(case: Case, recovery: Recovery) -> Hurt:
    """Return the streams under way at the fault, or asked for in the last outage, that were cut or stood still.

    One that its client gave up at the time-out is not among them: that says when patience ended, not when the outage did. Where an older
    run did not note when a silence ended, it is taken to be the end of the stream.
    """
    asked_ns = max((span.last_bad_ns for span in recovery.outages), default=recovery.fault_ns - 1)
    streams = case.run.requests.lazy().filter(
        pl.col("intended_ns") <= asked_ns, pl.col("done_ns") > recovery.fault_ns, pl.col("max_gap_ms").is_not_null()
    )
    cut, stood, end = _cut(case), _stood(case.slo.max_gap_ms), pl.coalesce("gap_end_ns", "done_ns")
    sure = pl.col("gap_end_ns").cast(pl.Float64) - (case.slo.max_gap_ms or 0.0) * 1e6
    found = (
        streams.filter(cut | stood)
        .select(
            begin=pl.when(cut).then("done_ns").otherwise(end - (pl.col("max_gap_ms") * 1e6).cast(pl.Int64)),
            end=pl.when(cut).then("done_ns").otherwise(end),
            before=pl.col("intended_ns") < recovery.fault_ns,
            sure=pl.when(stood).then(sure).otherwise(-np.inf).fill_null(-np.inf),
        )
        .filter(pl.col("end") > recovery.fault_ns)
        .collect()
    )
    return Hurt(*(found[name].to_numpy() for name in ("begin", "end", "before", "sure")))


def _cut(case: Case) -> pl.Expr:
    """Return whether a stream had begun and ended before it was whole, by neither its client's patience nor the end of the load."""
    in_time = pl.col("done_ns") - pl.col("sent_ns") < case.load.timeout_s * 1e9
    begun = pl.col("first_byte_ns").is_not_null() & (pl.col("done_ns") < case.arrivals.stop_ns)
    return (~pl.col("complete") & in_time & begun).fill_null(value=False)


def _stood(limit_ms: float | None) -> pl.Expr:
    """Return whether a stream stood still for longer than the SLO allows, and then went on."""
    if limit_ms is None:
        return pl.lit(value=False)
    went_on = pl.col("complete") | (pl.col("gap_end_ns") < pl.col("done_ns"))
    return ((pl.col("max_gap_ms") > limit_ms) & went_on).fill_null(value=False)
