"""Backlog after an outage: how long it took to drain, and how long it had to."""

from __future__ import annotations

import numpy as np
import polars as pl

from history.kinds import REQUESTS
from history.schema import Series
from verdict.case import Case
from verdict.inputs.attempts import Floats, Ints
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.users import outage

COARSE_S = 2.0  # a queue that is scraped this seldom makes a figure coarse, which is said


@measure("s", REQUESTS)
def queue_drain(case: Case) -> Value:
    """From recovery until no more requests waited than at most in the baseline; 0 if no backlog stood then.

    A backlog stood then if a longer queue was seen within 5 s after recovery, or within what the time between two scrapes takes. One that
    forms later has another cause. The value is a lower bound if the queue was longer for as long as it was watched. Source: queue_depth
    samples.
    """
    if case.recovery is None or case.recovery.recovered_ns is None:
        return NO_FAULT if case.recovery is None else Value(None, "users were not seen to be served again for a whole hold")
    if not case.recovery.outages:
        return Value(0.0, "there was no outage, so nothing piled up")
    t_ns, depth, timers = *_depth(case), case.run.plan.timers
    usual = _usual(case, t_ns, depth)
    after = t_ns >= case.recovery.recovered_ns
    if usual is None or not after.any():
        return Value(None, "the queue's depth was not recorded before the fault and after recovery")
    long = t_ns[after][depth[after] > usual]
    known = f"known to {timers.queue_every_s:.3g} s: the queue is scraped so often" if timers.queue_every_s > COARSE_S else ""
    if not len(long) or long[0] > case.recovery.recovered_ns + timers.queue_fresh_s * 1e9:
        return Value(0.0, known)
    drained = t_ns[after][(depth[after] <= usual) & (t_ns[after] > long[0])]
    end_ns = int(drained[0]) if len(drained) else int(t_ns[-1])
    said = "; ".join(filter(None, (f"at most {usual:g} waited before", known)))
    return Value((end_ns - case.recovery.recovered_ns) / 1e9, said, censored=not len(drained))


@measure("s", REQUESTS)
def queue_drain_bound(case: Case) -> Value:
    """How long draining may take: outage x λ / (μ - λ), λ the arrival rate and μ the service rate (M/M/1-style).

    What arrives in an outage waits, and leaves at the rate by which service exceeds arrivals. The true μ may be larger, so draining may be
    quicker. With λ ≥ μ the queue never drains: the platform is limited by its capacity. Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    arriving, serving, out_s = case.audit.summary.offered_rps, service_rate(case).value, outage(case).value
    if serving is None or not out_s:
        return Value(0.0 if out_s == 0 else None, "" if out_s == 0 else "the service rate is not known")
    return (
        Value(out_s * arriving / (serving - arriving))
        if serving > arriving
        else Value(None, "limited by capacity: requests arrive as fast as they are served")
    )


@measure("requests/s", REQUESTS)
def service_rate(case: Case) -> Value:
    """How fast requests can be served at least (μ): the most that were answered right in any second of the run. Source: requests."""
    done = case.run.requests["done_ns"].filter(pl.Series(case.attempts.right)).drop_nulls()
    done_ns = np.sort(done.to_numpy(), kind="stable")  # rows come almost in this order, which a stable sort makes use of
    if not len(done_ns):
        return Value(None, "nothing was answered")
    within = np.searchsorted(done_ns, done_ns + 1_000_000_000)
    within -= np.arange(len(done_ns))
    return Value(float(within.max()))


def _depth(case: Case) -> tuple[Ints, Floats]:
    wanted = (pl.col("series") == Series.QUEUE_DEPTH.value) & pl.col("value").is_finite() & pl.col("t_ns").is_not_null()
    frame = case.run.samples.filter(wanted).group_by("t_ns").agg(pl.col("value").sum()).sort("t_ns")
    return frame["t_ns"].to_numpy(), frame["value"].to_numpy()


def _usual(case: Case, t_ns: Ints, depth: Floats) -> float | None:
    """Return the most that waited in the baseline, if that was recorded."""
    if case.baseline_ns is None:
        return None
    before = depth[(t_ns >= case.baseline_ns[0]) & (t_ns < case.baseline_ns[1])]
    return float(before.max()) if len(before) else None
