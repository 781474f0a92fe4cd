"""Requests that were asked while others had taken the processors of the machine that platform and suite share."""

from __future__ import annotations

import numpy as np
import polars as pl

from history.schema import Series
from verdict.case import Case
from verdict.inputs.attempts import Bools, Ints
from verdict.inputs.goodness import longest_limit_ms
from verdict.shared.once import once

MOST_IDLE = 0.02
"""At most so much of the processors was idle: what a request needed had to wait."""
LEAST_OTHERS = 1 / 3
"""At least so much of the processors went to others than the platform (the suite's own load takes a twentieth)."""
LONGEST_NS = 3_000_000_000
"""A sample speaks for the time since the one before, but for no more than this."""


@once
def starved_ns(case: Case) -> Ints:
    """Return when the machine was starved: [start, end) of each sample in which it was (ns), shape (n, 2), in order of time."""
    kept = case.run.samples.filter(pl.col("series").is_in([Series.MACHINE_IDLE.value, Series.MACHINE_OTHERS.value]))
    wide = kept.drop_nulls(["t_ns", "value"]).pivot(on="series", index="t_ns", values="value", aggregate_function="last").sort("t_ns")
    if not {Series.MACHINE_IDLE.value, Series.MACHINE_OTHERS.value} <= set(wide.columns):
        return np.zeros((0, 2), dtype=np.int64)
    end_ns = wide["t_ns"].to_numpy()
    start_ns = np.maximum(np.concatenate((end_ns[:1], end_ns[:-1])), end_ns - LONGEST_NS)
    idle, others = (wide[series.value].fill_null(np.nan).to_numpy() for series in (Series.MACHINE_IDLE, Series.MACHINE_OTHERS))
    starved = (idle <= MOST_IDLE) & (others >= LEAST_OTHERS)
    return np.column_stack((start_ns, end_ns))[starved]


def starved_arrivals(case: Case) -> Bools:
    """Return which arrivals met a starved machine: from when they were asked until the SLO's latest limit, shape (n,)."""
    spans, asked_ns = starved_ns(case), case.arrivals.t_ns
    if not len(spans):
        return np.zeros(len(asked_ns), dtype=np.bool_)
    due_ns = asked_ns + int(longest_limit_ms(case.slo) * 1e6)
    first = np.searchsorted(spans[:, 1], asked_ns, side="right")  # the first span that ends after it was asked
    begins_ns = np.append(spans[:, 0], np.iinfo(np.int64).max)[first]
    return np.asarray(begins_ns < due_ns)
