"""Checks of a run that follows a training job, in the place of those about requests; ``fault``, ``evidence`` and the last are shared."""

from __future__ import annotations

import math
from collections.abc import Iterator

from history.kinds import TRAINING
from history.ledger_clocks import LedgerClocks
from history.ledgers import NEEDED
from history.result import Check
from verdict.case import Case
from verdict.inputs.recovery import Recovery
from verdict.inputs.training_job import TrainingJob, verified_ns
from verdict.shared.checks_before import NEARLY, unmet_before
from verdict.shared.checks_record import LARGEST_CLOCK_ERROR_S, phases_back, torn_lines
from verdict.shared.registry import Cause, Role, Value, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed, unless
from verdict.training import measures
from verdict.training.needs import unverifiable
from verdict.training.recovery_time import checked_rto, over, too_close
from verdict.words import count, listed, seconds


@check(TRAINING, Role.GATE, title="Complete ledger", cause=Cause.RECORD)
def ledger(case: Case) -> Check:
    """Check that the job's ledger is whole: starts, and every step of progress by every rank without a gap; and the run's own record."""
    job = of_run(case)
    done = job.progress[-1].step if job.progress else 0
    whole = f"The ledger is whole: {count(done, 'step')} by all ranks without a gap, in {count(len(job.starts), 'attempt')}."
    problems = [*_ledger_gaps(job), *_record_gaps(case)]
    return unless("ledger", problems, "The record does not support a verdict", f"{whole}{_clocks(job.clocks)}")


def _clocks(clocks: LedgerClocks) -> str:
    """Return what is known of the clocks of those who wrote the ledger: a sentence, if anything is."""
    if not clocks.hosts:
        return ""
    (host, ahead_s), bounded = clocks.furthest, sum(not one.asked for one in clocks.hosts.values())
    known = f" The clocks of its {count(len(clocks.hosts), 'writer')} are known within {seconds(clocks.error_s)}"
    how = f" ({bounded} of them by when rows arrived)" if bounded else ""
    way = "ahead" if ahead_s > 0 else "behind"
    return f"{known}{how}; {host} was furthest off, {seconds(abs(ahead_s))} {way}, and times are corrected."


def of_run(case: Case) -> TrainingJob:
    """Return the ledger of the job that the run follows."""
    assert case.training is not None  # noqa: S101 - these checks are made for such runs only
    return case.training


def _ledger_gaps(job: TrainingJob) -> Iterator[str]:
    if job.rows.is_empty():
        yield f"the training job's ledger is empty: no row has {listed(NEEDED, len(NEEDED))}, which each needs"
        return
    if not job.starts:
        yield "its ledger holds no start of an attempt"
    if not job.progress:
        yield "no step was done by all ranks"
        return
    first = job.starts[0].step if job.starts else 0
    missing = set(range(first + 1, job.progress[-1].step + 1)) - {step.step for step in job.done}
    if missing:
        yield f"{count(len(missing), 'step was', 'steps were')} never done by all ranks, the first is {min(missing)}: rows are missing"
    unknown = {step.attempt for step in job.done} - {start.attempt for start in job.starts}
    if unknown:
        yield f"the start of attempt {min(unknown)} is missing"
    if job.clocks.unknown:
        yield f"nobody measured the clock of {listed(job.clocks.unknown)} against that of the ledger's server"


def _record_gaps(case: Case) -> Iterator[str]:
    if case.run.events.is_empty():
        yield "it holds no events"
    yield from torn_lines(case)
    if case.timeline.damaged:
        yield f"{count(case.timeline.damaged, 'event lacks', 'events lack')} a required value"
    yield from phases_back(case)
    if not case.clocks.error_s <= LARGEST_CLOCK_ERROR_S:
        yield "no process recorded its clock" if math.isnan(case.clocks.error_s) else f"clocks disagree by {seconds(case.clocks.error_s)}"


@check(TRAINING, Role.GATE, title="Healthy before the fault", cause=Cause.BASELINE)
def baseline(case: Case) -> Check:
    """Check that training went on to the fault unbroken, a checkpoint was verified, and the hypothesis held, all through the baseline."""
    span = case.baseline_ns
    if span is None:
        return inconclusive("baseline", "There was no baseline, so nobody knows how training went before.")
    done = [step for step in of_run(case).progress if span[0] <= step.t_ns < span[1]]
    lasted_s = (span[1] - span[0]) / 1e9
    well = f"Before the fault {count(len(done), 'step')} were done in {seconds(lasted_s)} without a break."
    return unless("baseline", _unwell(case, span), "Training was not shown to be well before the fault", well)


def _unwell(case: Case, span: tuple[int, int]) -> Iterator[str]:
    job, planned_s = of_run(case), case.run.plan.timers.baseline_s
    lasted_s = (span[1] - span[0]) / 1e9
    if lasted_s < NEARLY * planned_s:
        yield f"the baseline lasted {seconds(lasted_s)} of {seconds(planned_s)}"
    broken = job.breaks(*span)
    if broken or not any(span[0] <= step.t_ns < span[1] for step in job.progress):
        yield f"{count(len(broken), 'break')} of its progress began before the fault" if broken else "no step was done in it"
    if job.finished_by(span[1]):
        ago_s = (span[1] - job.progress[-1].t_ns) / 1e9
        yield f"the job had done its last step, {job.progress[-1].step}, {seconds(ago_s)} before the fault: nothing was left to be hurt"
    if not any(t_ns < span[1] for t_ns, _ in verified_ns(job)):
        yield f"no checkpoint had been verified{unverifiable(job)}"
    yield from unmet_before(case, span)


@check(TRAINING, Role.RESTING, budget="rto_s")
def rto(case: Case) -> Check | None:
    """Check the time until training was beyond its high-water mark (rto_train) against its budget."""
    return checked_rto(case, _beyond, _not_beyond, too_close)


def _beyond(case: Case, recovery: Recovery) -> str:
    if not recovery.outages:
        return "Training was never out after the fault"
    first, lost, again = measures.rto_train_first(case).value, measures.lost_steps(case).value or 0, measures.restarts(case).value or 0
    how = f"first step again after {seconds(first)}, {count(int(lost), 'step')} lost, {count(int(again), 'new attempt')}" if first else ""
    return f"Training was beyond its high-water mark {seconds(recovery.rto_s or 0.0)} after the fault ({how})"


def _not_beyond(_case: Case, recovery: Recovery, figures: Figures, budget: str) -> Check:
    beyond = f"beyond its high-water mark {seconds(recovery.at_least_s)} after the fault"
    said = f"Training was not seen to go on for a whole hold {beyond}; {budget}."
    return failed("rto", said, **figures) if over(figures) else inconclusive("rto", said, **figures)


@check(TRAINING, Role.RESTING, budget="rpo_steps")
def rpo_steps(case: Case) -> Check | None:
    """Check the steps that were lost (lost_steps) against its budget."""
    return _rpo(case, "rpo_steps", case.workload.budgets.rpo_steps, measures.lost_steps(case), "step")


@check(TRAINING, Role.RESTING, budget="rpo_samples")
def rpo_samples(case: Case) -> Check | None:
    """Check the samples of the steps that were lost against its budget."""
    return _rpo(case, "rpo_samples", case.workload.budgets.rpo_samples, measures.rpo_samples(case), "sample")


def _rpo(case: Case, name: str, budget: int | None, lost: Value, noun: str) -> Check | None:
    if budget is None:
        return None
    unit = f"{noun}s"
    if lost.value is None:
        return inconclusive(name, NOTHING_INJECTED, budget=budget, unit=unit)
    figures = Figures(measured=lost.value, budget=budget, unit=unit, margin=left(lost.value, budget))
    said = f"{count(int(lost.value), noun)} that had been done {'was' if lost.value == 1 else 'were'} lost; the budget is {budget}."
    if lost.value > budget:
        return failed(name, said, **figures)
    if case.recovery is not None and case.recovery.recovered_ns is None:
        return inconclusive(name, f"{said} But training was not seen to go on, so more may be lost.", **figures)
    return passed(name, said, **figures)
