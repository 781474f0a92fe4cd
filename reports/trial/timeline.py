"""A run's history as the plot shows it: arrivals in buckets, gauges, lanes of states, marks. Nothing here judges: goodness is verdict's."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import polars as pl

from history.result import RunVerdict
from history.schema import Series
from reports.axis import Mark, MarkName
from reports.model import Buckets, Gauge, Timeline
from reports.trial.lanes import Clock, lanes_of
from verdict.case import Case

FINE = 410
"""Buckets across the plot: one every two pixels of its width; extremes are drawn per bucket, so no spike is lost."""
COARSE = 164
TABLE_ROWS = 40
ENOUGH = 16
"""Arrivals that a coarse bucket should hold on average, so that a rate means something."""
BEFORE_SHARE = 0.25
"""At most this share of the plot shows the baseline."""
FRESH_S = 5.0
"""A sample is drawn until the next one, but no longer than this."""
STEPS_S = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.25,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
)


def timeline_of(case: Case, verdict: RunVerdict, zero_ns: int) -> Timeline | None:
    """Return what the plot of a run shows, in seconds after ``zero_ns``; None if nobody asked for anything."""
    asked = _asked(case, zero_ns)
    if asked.is_empty():
        return None
    from_s, to_s = extent(asked["t_s"])
    coarse_s = _width(to_s - from_s, COARSE, ENOUGH * (to_s - from_s) / asked.height)
    from_s = min(math.ceil(from_s / coarse_s) * coarse_s, 0.0) if from_s < 0 else from_s  # so that a bucket begins at the fault
    asked, table_s = asked.filter(pl.col("t_s") >= from_s), _width(to_s - from_s, TABLE_ROWS)
    lanes = lanes_of(case, verdict, Clock(zero_ns, from_s, to_s))
    return Timeline(
        zero=zero_of(case),
        from_s=round(from_s, 3),
        to_s=round(to_s, 3),
        fine=_buckets(asked, from_s, to_s, (to_s - from_s) / FINE),
        coarse=_buckets(asked, from_s, to_s, coarse_s),
        table=_buckets(asked, math.floor(from_s / table_s) * table_s, to_s, table_s),
        gauges=tuple(_gauges(case, zero_ns, from_s, to_s, max(coarse_s, 0.5))),
        lanes=lanes.shown,
        lanes_unchanged=lanes.unchanged,
        lanes_left_out=lanes.left_out,
        marks=tuple(marks_of(case, verdict, zero_ns, to_s)),
    )


def zero_of(case: Case) -> Literal["the fault", "observation began", "the load began"]:
    """Return what happened at t = 0."""
    if case.recovery is None:
        return "the load began"
    return "observation began" if case.run.plan.experiment.fault == "none" else "the fault"


def _asked(case: Case, zero_ns: int) -> pl.DataFrame:
    """Return a row a promised request, in order: ``t_s``, ``latency_ms`` (null: no right answer), ``bad`` by :mod:`verdict`'s rule."""
    asked = case.arrivals
    latency_ms = pl.Series(np.where(np.isfinite(asked.latency_ms), asked.latency_ms, np.nan)).fill_nan(None)
    return pl.DataFrame({"t_s": (asked.t_ns - zero_ns) / 1e9, "latency_ms": latency_ms, "bad": ~asked.good})


def extent(t_s: pl.Series) -> tuple[float, float]:
    """Return the span to draw: everything after the fault, and enough before it to see what normal was."""
    first, last = float(t_s.to_numpy().min()), float(t_s.to_numpy().max())
    if last <= 0 or first >= 0:
        return first, last + 0.001
    return max(first, -max(5.0, BEFORE_SHARE / (1 - BEFORE_SHARE) * last)), last + 0.001


def _width(span_s: float, most: int, least_s: float = 0.0) -> float:
    """Return the smallest usual step that gives at most ``most`` buckets, each at least ``least_s`` wide."""
    needed = max(span_s / most, least_s)
    return next((step for step in STEPS_S if step >= needed), needed)


def _buckets(asked: pl.DataFrame, from_s: float, to_s: float, width_s: float) -> Buckets:
    """Sum ``asked`` (t_s, latency_ms, bad) up in buckets; what is left over at the end belongs to the last one."""
    size = max(1, math.floor(round((to_s - from_s) / width_s, 6)))
    index = ((pl.col("t_s") - from_s) / width_s).floor().clip(0, size - 1).cast(pl.Int32()).alias("bucket")
    latency = pl.col("latency_ms")
    grouped = asked.group_by(index).agg(
        pl.len().alias("offered"),
        pl.col("bad").sum(),
        latency.min().alias("min_ms"),
        latency.quantile(0.5, "nearest").alias("p50_ms"),
        latency.quantile(0.95, "nearest").alias("p95_ms"),
        latency.max().alias("max_ms"),
    )
    full = pl.DataFrame({"bucket": range(size)}, schema={"bucket": pl.Int32()}).join(grouped, on="bucket", how="left").sort("bucket")
    counts = {name: full[name].fill_null(0).to_list() for name in ("offered", "bad")}
    times = {name: full[name].round(1).to_list() for name in ("min_ms", "p50_ms", "p95_ms", "max_ms")}
    return Buckets.model_validate({"from_s": round(from_s, 6), "width_s": round(width_s, 6), "to_s": round(to_s, 6), **counts, **times})


def _gauges(case: Case, zero_ns: int, from_s: float, to_s: float, width_s: float) -> list[Gauge]:
    """Return in-flight and queue depth: labels summed at each moment's bucket maximum."""
    t_s = (pl.col("t_ns") - zero_ns) / 1e9
    fresh_s = {Series.QUEUE_DEPTH: max(FRESH_S, case.run.plan.timers.queue_fresh_s)}
    wanted = case.run.samples.filter(
        pl.col("series").is_in([Series.IN_FLIGHT.value, Series.QUEUE_DEPTH.value]), t_s.is_between(from_s, to_s)
    )
    size = math.ceil((to_s - from_s) / width_s)
    index = ((t_s - from_s) / width_s).floor().cast(pl.Int32()).alias("bucket")
    largest = wanted.group_by("series", "labels", index).agg(pl.col("value").max()).group_by("series", "bucket").agg(pl.col("value").sum())
    gauges = []
    for series in (Series.IN_FLIGHT, Series.QUEUE_DEPTH):
        values = dict(largest.filter(pl.col("series") == series.value).select("bucket", "value").iter_rows())
        if values:
            seen = pl.Series([values.get(i) for i in range(size)], dtype=pl.Float64())
            known = tuple(seen.forward_fill(limit=math.ceil(fresh_s.get(series, FRESH_S) / width_s)))
            gauges.append(Gauge(name=series.value, from_s=round(from_s, 6), width_s=round(width_s, 6), values=known))
    return gauges


def marks_of(case: Case, verdict: RunVerdict, zero_ns: int, to_s: float) -> list[Mark]:
    """Return the vertical marks of a run that fall into the plot."""
    if case.recovery is None:
        return []
    budget = case.workload.budgets.rto_s
    moments = {
        MarkName.FAULT: 0.0 if case.run.plan.experiment.fault != "none" else None,
        MarkName.IMPACT: (verdict.outages[0].start_ns - zero_ns) / 1e9 if verdict.outages else None,
        MarkName.DETECTED: _value(verdict, "time_to_detection"),
        MarkName.RECOVERED: _recovered(verdict, zero_ns),
        MarkName.DEADLINE: budget,
    }
    return [Mark(name=name, t_s=round(t_s, 3)) for name, t_s in moments.items() if t_s is not None and t_s <= to_s]


def _value(verdict: RunVerdict, name: str) -> float | None:
    measurement = verdict.measurement(name)
    return measurement.value if measurement and not measurement.censored else None


def _recovered(verdict: RunVerdict, zero_ns: int) -> float | None:
    end_ns = verdict.outages[-1].end_ns if verdict.outages else None
    return None if end_ns is None else (end_ns - zero_ns) / 1e9
