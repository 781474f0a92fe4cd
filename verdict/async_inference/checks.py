"""Checks of asynchronous jobs: the record, the baseline, and that what was acknowledged ends exactly once and can be fetched."""

from __future__ import annotations

import math
from collections.abc import Iterator

import polars as pl

from history.kinds import ASYNC
from history.result import Check
from verdict.async_inference import measures
from verdict.async_inference.record import backlog_of, fetched_of, jobs_of, plan_of
from verdict.case import Case
from verdict.inputs.recovery import Recovery
from verdict.shared.checks_before import NEARLY, unmet_before
from verdict.shared.checks_record import LARGEST_CLOCK_ERROR_S, phases_back, torn_lines
from verdict.shared.registry import Cause, Role, check
from verdict.shared.results import Figures, failed, inconclusive, left, passed, unless
from verdict.statistics import arrivals_needed
from verdict.training.recovery_time import checked_rto, over, too_close
from verdict.words import count, listed, percent, seconds

OFFERED = 0.8
"""The least share of the planned rate that must have been submitted: a Poisson process and a drain at the end take the rest."""
LATE_S = 1.0
"""A submission may be sent so much later than its user asked: more, and the load was not offered."""


@check(ASYNC, Role.GATE, title="Complete record", cause=Cause.RECORD)
def history(case: Case) -> Check:
    """Check that the record of jobs is whole: submissions, each once, their ends, the queue's depth; and the run's own record."""
    whole = f"The record is whole: {count(jobs_of(case).rows.height, 'submission')}, each with what became of it."
    return unless("history", _gaps(case), "The record does not support a verdict", whole)


def _gaps(case: Case) -> Iterator[str]:
    rows = jobs_of(case).rows
    for name in plan_of(case).LEDGERS:
        if case.run.ledgers.get(name, pl.DataFrame()).is_empty():
            yield f"the ledger {name} is empty"
    if (twice := rows.height - rows["job"].n_unique()) > 0:
        yield f"{count(twice, 'submission stands', 'submissions stand')} twice"
    if case.run.events.is_empty():
        yield "it holds no events"
    yield from torn_lines(case)
    yield from phases_back(case)
    if not case.clocks.error_s <= LARGEST_CLOCK_ERROR_S:
        yield "no process recorded its clock" if math.isnan(case.clocks.error_s) else f"clocks disagree by {seconds(case.clocks.error_s)}"


@check(ASYNC, Role.GATE, title="Load as planned", cause=Cause.LOAD)
def load(case: Case) -> Check:
    """Check that jobs were submitted at the planned rate and at their time."""
    rows, rate = jobs_of(case).rows, plan_of(case).jobs.rate_rps
    if rows.height < 2:
        return inconclusive("load", "No jobs were offered.")
    span_s = (int(rows["intended_ns"][-1]) - int(rows["intended_ns"][0])) / 1e9
    offered = rows.height / span_s if span_s else 0.0
    lag_s = float(rows.select((pl.col("sent_ns") - pl.col("intended_ns")).fill_null(0).quantile(0.99) / 1e9).item())
    problems = [f"{offered:.3g} jobs/s were submitted of {rate:g}"] if offered < OFFERED * rate else []
    problems += [f"1 % of them were sent more than {seconds(lag_s)} late"] if lag_s > LATE_S else []
    well = f"{offered:.3g} jobs/s were submitted, {rate:g} were planned; 99 % of them within {seconds(lag_s)}."
    return unless("load", problems, "The load was not offered as planned", well, measured=offered, budget=rate, unit="jobs/s")


@check(ASYNC, Role.GATE, title="Healthy before the fault", cause=Cause.BASELINE)
def baseline(case: Case) -> Check:
    """Check that jobs were accepted and done in time, and the hypothesis held, all through a long enough baseline."""
    span = case.baseline_ns
    if span is None:
        return inconclusive("baseline", "There was no baseline, so nobody knows how jobs went before.")
    jobs = jobs_of(case)
    within = (jobs.t_ns >= span[0]) & (jobs.decided_ns < span[1])
    good = jobs.good[within]
    share, lasted_s = float(good.mean()) if len(good) else 0.0, (span[1] - span[0]) / 1e9
    well = f"Before the fault {percent(share)} of {count(len(good), 'job')} were accepted and done in time, for {seconds(lasted_s)}."
    problems = [*_too_short(case, lasted_s, len(good)), *unmet_before(case, span)]
    problems += [f"only {percent(share)} of jobs were good, {percent(jobs.slo.ratio)} must be"] if share < jobs.slo.ratio else []
    return unless("baseline", problems, "Jobs were not shown to go well before the fault", well, measured=share, budget=jobs.slo.ratio)


def _too_short(case: Case, lasted_s: float, arrived: int) -> Iterator[str]:
    planned_s, needed = case.run.plan.timers.baseline_s, arrivals_needed(jobs_of(case).slo.ratio)
    if lasted_s < NEARLY * planned_s:
        yield f"the baseline lasted {seconds(lasted_s)} of {seconds(planned_s)}"
    if arrived < needed:
        yield f"it has {count(arrived, 'job')} whose end is known, {needed} are needed"


@check(ASYNC, Role.RESTING, budget="rto_s")
def rto(case: Case) -> Check | None:
    """Check the time until jobs were accepted and done in time again, the drain of the backlog included, against its budget."""
    return checked_rto(case, _served, _not_back, too_close)


def _served(case: Case, recovery: Recovery) -> str:
    if not recovery.outages:
        return "Jobs were accepted and done in time all the time"
    deepest, drain = measures.backlog_most(case).value or 0, measures.backlog_drain(case)
    backlog = f" ({count(int(deepest), 'job')} waited, drained in {seconds(drain.value)})" if drain.value else ""
    return f"Jobs were accepted and done in time again {seconds(recovery.rto_s or 0.0)} after the fault{backlog}"


def _not_back(_case: Case, recovery: Recovery, figures: Figures, budget: str) -> Check:
    said = f"Jobs were not seen to be done in time again, {seconds(recovery.at_least_s)} after the fault; {budget}."
    return failed("rto", said, **figures) if over(figures) else inconclusive("rto", said, **figures)


@check(ASYNC, Role.RESTING, title="Every accepted job ended exactly once")
def ended_once(case: Case) -> Check:
    """Check that each id that was answered 202 stands exactly once in the platform's record of ends. An end is done, failed or dead."""
    accepted, lost = jobs_of(case).accepted, measures.lost(case)
    twice = list(jobs_of(case).rows.filter(pl.col("ends") > 1)["job"])
    again = int(measures.jobs_begun_again(case).value or 0)
    if accepted.is_empty():
        return inconclusive("ended_once", "No job was accepted, so nothing is known of how they end.")
    wrong = [f"{count(len(lost), 'accepted job')} never ended ({listed(lost)})"] if lost else []
    wrong += [f"{count(len(twice), 'job')} ended more than once ({listed(twice)})"] if twice else []
    figures = Figures(measured=float(len(lost) + len(twice)), budget=0.0, unit="jobs")
    if lost and not twice and (blind := _unseen_at_the_end(case)):
        return inconclusive("ended_once", f"{count(len(lost), 'accepted job')} was not seen to end, but {blind}.", **figures)
    if wrong:
        return failed("ended_once", f"Of {count(accepted.height, 'accepted job')}, {' and '.join(wrong)}.", **figures)
    told = f"; work on {again} was begun more than once, which each of them says" if again else ""
    return passed("ended_once", f"Each of {count(accepted.height, 'accepted job')} ended exactly once{told}.", **figures)


def _unseen_at_the_end(case: Case) -> str:
    """Return that the platform's record of ends could not be read when the drain was nearly over; empty: it could."""
    asked, seen = jobs_of(case).rows["answered_ns"].max(), backlog_of(case)["t_ns"].max()
    if isinstance(asked, int) and isinstance(seen, int) and seen >= asked + NEARLY * plan_of(case).jobs.drain_s * 1e9:
        return ""
    return "the platform's record of ends could not be read any more when the drain was over, so nobody knows"


@check(ASYNC, Role.RESTING, budget="rpo_jobs")
def rpo_jobs(case: Case) -> Check | None:
    """Check the acknowledged jobs that never ended (jobs_lost) against its budget."""
    budget, gone = case.workload.budgets.rpo_jobs, float(len(measures.lost(case)))
    if budget is None:
        return None
    if jobs_of(case).accepted.is_empty():
        return inconclusive("rpo_jobs", "No job was accepted, so none could be lost.", budget=budget, unit="jobs")
    if gone > budget and (blind := _unseen_at_the_end(case)):
        said = f"{count(int(gone), 'acknowledged job')} was not seen to end, but {blind}."
        return inconclusive("rpo_jobs", said, measured=gone, budget=float(budget), unit="jobs")
    said = f"{count(int(gone), 'acknowledged job')} never ended; the budget is {budget}."
    return (failed if gone > budget else passed)(
        "rpo_jobs", said, measured=gone, budget=float(budget), unit="jobs", margin=left(gone, budget)
    )


@check(ASYNC, Role.RESTING, title="Every result could be fetched")
def fetched(case: Case) -> Check:
    """Check that the result of each accepted job that is done could be fetched, cancelled ones included, and is the right one."""
    done = jobs_of(case).accepted.filter(pl.col("state") == "done")
    missing = list(measures.missing(case)["job"])
    wrong = list(fetched_of(case).filter(~pl.col("right").fill_null(value=True))["job"])
    if done.is_empty():
        return inconclusive("fetched", "No accepted job is done, so there was no result to fetch.")
    problems = [f"{count(len(missing), 'result')} could not be fetched ({listed(missing)})"] if missing else []
    problems += [f"{count(len(wrong), 'result is', 'results are')} wrong ({listed(wrong)})"] if wrong else []
    figures = Figures(measured=float(len(missing) + len(wrong)), budget=0.0, unit="jobs")
    if problems:
        return failed("fetched", f"Of {count(done.height, 'job')} that are done, {' and '.join(problems)}.", **figures)
    late = measures.cancelled_fetched(case)
    return passed(
        "fetched", f"The results of all {count(done.height, 'job')} were fetched, {late.value:g} of clients that had cancelled.", **figures
    )
