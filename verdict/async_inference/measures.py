"""What became of asynchronous jobs: how many were accepted, lost, done again, and how the backlog drained."""

from __future__ import annotations

import numpy as np
import polars as pl

from history.kinds import ASYNC
from verdict.async_inference.record import ACCEPTED, backlog_of, ended_of, fetched_of, jobs_of
from verdict.case import Case
from verdict.inputs.attempts import Ints
from verdict.shared.registry import NO_FAULT, Value, measure

RATE_S = 5
UNSEEN = Value(None, "the queue was not seen both before the fault and after it")


@measure("jobs", ASYNC)
def jobs_accepted(case: Case) -> Value:
    """How many jobs were acknowledged with 202 in the whole run. Source: jobs_submitted."""
    return Value(jobs_of(case).accepted.height)


@measure("jobs", ASYNC)
def jobs_refused(case: Case) -> Value:
    """How many submissions were answered otherwise than with 202 or not at all; 429 is a full queue. Source: jobs_submitted."""
    rows = jobs_of(case).rows
    full = rows.filter(pl.col("status") == 429).height
    return Value(rows.height - jobs_of(case).accepted.height, f"{full} of them because the queue was full" if full else "")


@measure("jobs", ASYNC)
def jobs_lost(case: Case) -> Value:
    """How many acknowledged jobs had not ended when the drain of the load was over: the RPO. Source: jobs_submitted, jobs_ended."""
    return Value(jobs_of(case).accepted.filter(pl.col("ends") == 0).height)


@measure("jobs", ASYNC)
def jobs_ended_twice(case: Case) -> Value:
    """How many jobs stand more than once in the platform's record of ends. Source: jobs_ended."""
    return Value(jobs_of(case).rows.filter(pl.col("ends") > 1).height)


@measure("jobs", ASYNC)
def jobs_begun_again(case: Case) -> Value:
    """On how many jobs work was begun more than once: delivered again, and told so. Each ended once. Source: jobs_ended."""
    return Value(jobs_of(case).accepted.filter(pl.col("attempts") > 1).height)


@measure("jobs", ASYNC)
def jobs_dead(case: Case) -> Value:
    """How many accepted jobs ended as dead letters. Source: jobs_ended."""
    return Value(jobs_of(case).accepted.filter(pl.col("state") == "dead").height)


@measure("jobs", ASYNC)
def cancelled_fetched(case: Case) -> Value:
    """How many jobs whose client had cancelled were done nevertheless and fetched later. Source: jobs_submitted, jobs_fetched."""
    rows = jobs_of(case).accepted.filter(pl.col("cancelled"))
    got = fetched_of(case).filter(pl.col("status") == 200)
    return Value(rows.join(got, on="job", how="semi").height, f"of {rows.height} that were cancelled")


@measure("jobs", ASYNC)
def results_missing(case: Case) -> Value:
    """How many jobs are done and their result could not be fetched. Source: jobs_submitted, jobs_ended, jobs_fetched."""
    return Value(missing(case).height)


@measure("jobs", ASYNC)
def results_missing_since(case: Case) -> Value:
    """How many of results_missing are of jobs that ended after the fault. Source: as results_missing."""
    return Value(missing(case).filter(pl.col("seen_ns") >= case.recovery.fault_ns).height) if case.recovery else NO_FAULT


def missing(case: Case) -> pl.DataFrame:
    """Return the accepted jobs that are done and whose result could not be fetched."""
    done = jobs_of(case).accepted.filter(pl.col("state") == "done")
    return done.join(fetched_of(case).filter(pl.col("status") == 200), on="job", how="anti")


@measure("jobs", ASYNC)
def backlog_left(case: Case) -> Value:
    """How many jobs had been accepted and had not ended when the queue was last seen. Source: jobs_backlog."""
    seen = backlog_of(case)
    return Value(None, "the queue was not seen") if seen.is_empty() else Value(float(seen["depth"][-1]))


@measure("jobs", ASYNC)
def backlog_most(case: Case) -> Value:
    """How many jobs at most had been accepted and had not ended, from the fault on. Source: jobs_backlog."""
    seen = _since_fault(case)
    return Value(None, "the queue was not seen") if seen.is_empty() else Value(float(seen["depth"].to_numpy().max()))


@measure("s", ASYNC)
def oldest_job(case: Case) -> Value:
    """How old the oldest job that had not ended became, from the fault on. Source: jobs_backlog."""
    seen = _since_fault(case)
    return Value(None, "the queue was not seen") if seen.is_empty() else Value(float(seen["oldest_s"].to_numpy().max()))


@measure("s", ASYNC)
def backlog_drain(case: Case) -> Value:
    """From the deepest backlog after the fault until no more jobs waited than at most in the baseline; 0 if it never was deeper.

    The value is a lower bound if it was deeper for as long as it was watched. Source: jobs_backlog.
    """
    if case.recovery is None:
        return NO_FAULT
    usual, seen = _usual(case), _since_fault(case)
    if usual is None or seen.is_empty():
        return UNSEEN
    t_ns, depth = seen["t_ns"].to_numpy(), seen["depth"].to_numpy()
    deepest = _deepest(depth)
    if depth[deepest] <= usual:
        return Value(0.0, f"at most {usual:g} before, and {depth[deepest]:g} after the fault")
    drained = np.flatnonzero(depth[deepest:] <= usual)
    end = deepest + int(drained[0]) if len(drained) else len(t_ns) - 1
    said = f"from {depth[deepest]:g} to {usual:g}, as before"
    return Value(float(t_ns[end] - t_ns[deepest]) / 1e9, said, censored=not len(drained))


@measure("s", ASYNC)
def backlog_drain_bound(case: Case) -> Value:
    """How long draining has to take: the deepest backlog less the usual, over μ - λ. λ: jobs accepted a second; μ: see drain_rate.

    μ is the best rate that was seen, so draining cannot be much quicker than this. With λ ≥ μ a backlog never drains. Source:
    jobs_backlog, jobs_submitted, jobs_ended.
    """
    if case.recovery is None:
        return NO_FAULT
    usual, seen, serving = _usual(case), _since_fault(case), drain_rate(case).value
    if usual is None or seen.is_empty() or serving is None:
        return UNSEEN
    t_ns = np.sort(jobs_of(case).accepted["intended_ns"].to_numpy())
    arriving = (len(t_ns) - 1) / ((t_ns[-1] - t_ns[0]) / 1e9) if len(t_ns) > 1 else 0.0
    over = float(seen["depth"].to_numpy().max()) - usual
    if over <= 0:
        return Value(0.0)
    limited = Value(None, "limited by capacity: jobs are accepted as fast as they are done")
    return Value(over / (serving - arriving)) if serving > arriving else limited


@measure("jobs/s", ASYNC)
def drain_rate(case: Case) -> Value:
    """How fast jobs can be done at least (μ): the most that ended in any five seconds of the run, a second.

    Jobs of others are among them. Source: jobs_ended.
    """
    ended = np.sort(ended_of(case)["seen_ns"].to_numpy())
    if not len(ended):
        return Value(None, "no job ended")
    within = np.searchsorted(ended, ended + RATE_S * 1_000_000_000) - np.arange(len(ended))
    return Value(float(within.max()) / RATE_S)


def lost(case: Case) -> list[str]:
    """Return the ids of acknowledged jobs that never ended."""
    return list(jobs_of(case).rows.filter((pl.col("status") == ACCEPTED) & (pl.col("ends") == 0))["job"])


def _deepest(depth: Ints) -> int:
    return int(np.flatnonzero(depth == depth.max())[-1])


def _since_fault(case: Case) -> pl.DataFrame:
    seen = backlog_of(case)
    return seen.filter(pl.col("t_ns") >= case.recovery.fault_ns) if case.recovery else seen.clear()


def _usual(case: Case) -> float | None:
    """Return the deepest backlog of the baseline, if that was seen."""
    if case.baseline_ns is None:
        return None
    before = backlog_of(case).filter(pl.col("t_ns").is_between(*case.baseline_ns, closed="left"))["depth"]
    return float(before.to_numpy().max()) if len(before) else None
