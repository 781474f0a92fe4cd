"""The jobs of a run, in the order in which users asked: which were good, and since when that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from history.kinds import ASYNC
from history.plan import Plan
from history.reader import Run
from history.schema import EventKind
from verdict.async_inference.plan import BACKLOG, ENDED, FETCHED, SUBMITTED, AsyncPlan, AsyncSlo
from verdict.case import Case, recovery
from verdict.inputs.attempts import Bools, Ints
from verdict.inputs.outages import FOREVER_NS, Rule, find_outages
from verdict.inputs.recovery import Recovery, fault_ns
from verdict.inputs.timeline import Timeline
from verdict.shared.once import once

ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One row for each submission, ascending by when its user asked. ``rows``: those of SUBMITTED, with state, attempts, seen_ns, ends."""

    rows: pl.DataFrame
    slo: AsyncSlo

    @property
    def t_ns(self) -> Ints:
        """When users asked."""
        return self.rows["intended_ns"].to_numpy()

    @property
    def accepted(self) -> pl.DataFrame:
        """The rows of what was acknowledged."""
        return self.rows.filter(pl.col("status") == ACCEPTED)

    @property
    def good(self) -> Bools:
        """Which were accepted and done in time."""
        accepted_ns, done_ns = int(self.slo.accepted_s * 1e9), int(self.slo.done_s * 1e9)
        intime = (pl.col("answered_ns") - pl.col("intended_ns") <= accepted_ns) & (pl.col("seen_ns") - pl.col("intended_ns") <= done_ns)
        well = (pl.col("status") == ACCEPTED) & (pl.col("state") == "done") & intime
        return self.rows.select(well.fill_null(value=False).alias("good"))["good"].to_numpy()

    @property
    def decided_ns(self) -> Ints:
        """When it was known of each whether it is good: at its end or its refusal, at the latest when it was too late."""
        late = pl.col("intended_ns") + int(self.slo.done_s * 1e9)
        end = pl.when(pl.col("status") == ACCEPTED).then(pl.col("seen_ns")).otherwise(pl.col("answered_ns"))
        return self.rows.select(pl.min_horizontal(end, late).alias("t"))["t"].to_numpy()

    def decided(self, by_ns: int) -> JobRecord:
        """Return the record up to the first job of which it was not known by ``by_ns`` whether it is good."""
        open_ = np.flatnonzero(self.decided_ns > by_ns)
        return JobRecord(self.rows.head(int(open_[0]) if len(open_) else self.rows.height), self.slo)


def record_of(submitted: pl.DataFrame, ended: pl.DataFrame, slo: AsyncSlo) -> JobRecord:
    """Join submissions with how they ended; ``ends``: how many rows of the platform's record name the job (0: none)."""
    ends = ended.sort("seen_ns").group_by("job").agg(pl.col("state", "attempts", "seen_ns").first(), pl.len().cast(pl.Int64).alias("ends"))
    joined = submitted.join(ends, on="job", how="left").sort("intended_ns").with_columns(pl.col("ends").fill_null(0))
    return JobRecord(joined, slo)


@once
def jobs_of(case: Case) -> JobRecord:
    """Return the jobs of a run."""
    return _record(case.run, plan_of(case))


def plan_of(case: Case) -> AsyncPlan:
    """Return what the plan says of the jobs."""
    assert isinstance(case.workload, AsyncPlan)  # noqa: S101 - these checks are made for such workloads only
    return case.workload


def ended_of(case: Case) -> pl.DataFrame:
    """Return every end that the platform recorded in the run, also those of jobs of others."""
    return case.run.ledgers.get("jobs_ended", pl.DataFrame(schema=ENDED))


def fetched_of(case: Case) -> pl.DataFrame:
    """Return what became of fetching results."""
    return case.run.ledgers.get("jobs_fetched", pl.DataFrame(schema=FETCHED))


def backlog_of(case: Case) -> pl.DataFrame:
    """Return what was seen of the queue, by time."""
    return case.run.ledgers.get("jobs_backlog", pl.DataFrame(schema=BACKLOG)).sort("t_ns")


def _record(run: Run, plan: AsyncPlan) -> JobRecord:
    submitted = run.ledgers.get("jobs_submitted", pl.DataFrame(schema=SUBMITTED))
    return record_of(submitted, run.ledgers.get("jobs_ended", pl.DataFrame(schema=ENDED)), plan.slo)


@recovery(ASYNC)
def _recovery(case: Case) -> Recovery | None:
    return jobs_recovery(case.run.plan, case.timeline, jobs_of(case))


def jobs_recovery(plan: Plan, timeline: Timeline, jobs: JobRecord) -> Recovery | None:
    """Return what users of jobs went through after the fault; ``None`` if there was no fault (or, in a null control, no observation).

    The outages are those of the jobs that were submitted after it: a job is bad if it was not accepted, or not done in time. So the time in
    which a backlog drains is part of it.
    """
    start_ns = fault_ns(plan, timeline)
    if start_ns is None:
        return None
    t_ns, good, hold_ns = jobs.t_ns, jobs.good, int(plan.timers.hold_s * 1e9)
    after = (t_ns >= start_ns) & (t_ns < FOREVER_NS)
    stop_ns = int(t_ns[-1]) if len(t_ns) else start_ns
    detected = find_outages(t_ns[after], good[after], Rule(jobs.slo.ratio, hold_ns), stop_ns)
    heal_ns = timeline.first_ns(EventKind.HEAL_START)
    watched_ns = stop_ns if heal_ns is None else min(heal_ns, stop_ns)
    before = tuple(span for span in detected.outages if span.start_ns < watched_ns)
    seen_ns = max(start_ns, timeline.last_ns(EventKind.FAULT_CONFIRMED) or start_ns)
    last = before[-1] if before else None
    back_ns = last.end_ns if last and last.held and last.end_ns is not None and last.end_ns <= watched_ns else None
    return Recovery(
        fault_ns=start_ns,
        watched_ns=watched_ns,
        hold_ns=hold_ns,
        outages=before,
        while_healing=detected.outages[len(before) :],
        residue=detected.residue,
        recovered_ns=back_ns if last else start_ns if seen_ns + hold_ns <= stop_ns else None,
        known_down_ns=min(last.last_bad_ns, watched_ns) if last else start_ns,
    )
