"""Checks of a run that follows a training job, in the place of those about requests; ``fault``, ``evidence`` and the last are shared."""

from __future__ import annotations

import math
from collections.abc import Iterator

from history.kinds import TRAINING
from history.result import Check
from verdict.case import Case
from verdict.inputs.recovery import Recovery
from verdict.inputs.training_job import TrainingJob, verified_ns
from verdict.shared.checks_before import NEARLY, unmet_before
from verdict.shared.checks_record import LARGEST_CLOCK_ERROR_S, phases_back, torn_lines
from verdict.shared.registry import Cause, Role, Value, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed, unless
from verdict.training import measures
from verdict.training.exactly_once import States, seen_of, states_of, two_writers
from verdict.training.pods import pods_doubled
from verdict.training.recovery_time import checked_rto, over, too_close
from verdict.training.resized import FEWEST_STEPS, LOSS_SHARE, Losses, losses_of
from verdict.words import count, listed, seconds


@check(TRAINING, Role.GATE, title="Complete ledger", cause=Cause.RECORD)
def ledger(case: Case) -> Check:
    """Check that the job's ledger is whole: starts, and every step of progress by every rank without a gap; and the run's own record."""
    job = of_run(case)
    done = job.progress[-1].step if job.progress else 0
    whole = f"The ledger is whole: {count(done, 'step')} by all ranks without a gap, in {count(len(job.starts), 'attempt')}."
    return unless("ledger", [*_ledger_gaps(job), *_record_gaps(case)], "The record does not support a verdict", whole)


def of_run(case: Case) -> TrainingJob:
    """Return the ledger of the job that the run follows."""
    assert case.training is not None  # noqa: S101 - these checks are made for such runs only
    return case.training


def _ledger_gaps(job: TrainingJob) -> Iterator[str]:
    if job.rows.is_empty():
        yield "the training job's ledger is empty"
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
    """Check that training went on without a break, a checkpoint was verified, and the hypothesis held, all through the baseline."""
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
    if not any(t_ns < span[1] for t_ns, _ in verified_ns(job)):
        yield "no checkpoint had been verified"
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


@check(TRAINING, Role.OWN, title="State as undisturbed")
def state(case: Case) -> Check:
    """Check that the whole state equals that of an undisturbed run, bit by bit, at every step compared, up to after recovery.

    The comparison ends where a batch was set aside: from there on the two rightly differ. Where another number of ranks took part, bits are
    compared up to there, and the mean loss from there on. Source: training ledger, reference.
    """
    job = of_run(case)
    states = states_of(job)
    if job.reference.is_empty() or not states.compared:
        return inconclusive("state", "The state was not compared with an undisturbed run: there is no reference, or no common step.")
    figures = Figures(measured=float(len(states.differing)), budget=0.0, unit="states")
    if states.differing:
        said = (
            f"From step {states.differing[0]} on the state is not that of an undisturbed run: weights, optimizer, generators or data order."
        )
        return failed("state", said, **figures)
    if states.aside:
        same = f"The state equals an undisturbed run's up to step {states.last}"
        return passed("state", f"{same}; at step {states.aside} a batch was set aside, which changes it.", **figures)
    if (losses := losses_of(job)) is not None:
        return _resized(states, losses, figures)
    since = job.high_water(case.recovery.fault_ns) if case.recovery else 0
    if states.last <= since:
        return inconclusive("state", f"The last state compared is that of step {states.last}, before recovery.", **figures)
    said = f"The state equals an undisturbed run's to the bit in all {count(states.compared, 'comparison')}, up to step {states.last}."
    return passed("state", said, **figures)


def _resized(states: States, losses: Losses, figures: Figures) -> Check:
    """Judge what went on with another number of ranks: by its losses, since its bits rightly differ."""
    said = (
        f"The state equals an undisturbed run's up to step {states.last}; from step {losses.since} on another number of ranks took part. "
        f"Over {count(losses.steps, 'step')} from there the mean loss is {losses.ours:.4g}, an undisturbed run's {losses.reference:.4g}"
    )
    if losses.steps < FEWEST_STEPS:
        return inconclusive("state", f"{said}; at least {FEWEST_STEPS} steps are needed to compare them.", **figures)
    apart = f"{100 * losses.apart:.1f} % apart; at most {100 * LOSS_SHARE:.0f} % are what dropout and rounding explain"
    return (passed if losses.apart <= LOSS_SHARE else failed)("state", f"{said}: {apart}.", **figures)


@check(TRAINING, Role.OWN, title="Every sample once")
def samples(case: Case) -> Check:
    """Check that every sample was seen exactly as often as in an undisturbed run; a step done again counts once."""
    job = of_run(case)
    seen = seen_of(job)
    if seen is None or not seen.steps:
        return inconclusive("samples", "There is no undisturbed run to compare the samples with.")
    wrong = seen.skipped + seen.repeated
    figures = Figures(measured=float(wrong), budget=0.0, unit="samples")
    if wrong:
        said = f"{count(seen.skipped, 'sample was', 'samples were')} skipped and {seen.repeated:,} repeated in {seen.steps:,} steps."
        return failed("samples", said, **figures)
    since = job.high_water(case.recovery.fault_ns) if case.recovery else 0
    if seen.steps <= since:
        return inconclusive("samples", f"Samples are known up to step {seen.steps} only, before recovery.", **figures)
    return passed("samples", f"No sample was skipped and none repeated in {count(seen.steps, 'step')}.", **figures)


@check(TRAINING, Role.OWN, title="One writer")
def writers(case: Case) -> Check:
    """Check that one attempt wrote at a time, and each rank of it was one process."""
    job = of_run(case)
    if not job.done:
        return inconclusive("writers", "No step was done, so nobody knows who wrote.")
    doubles = two_writers(job)
    figures = Figures(measured=float(len(doubles)), budget=0.0, unit="writers")
    if doubles:
        return failed("writers", f"Two wrote for one run: {listed(doubles)}.", **figures)
    doubled = pods_doubled(case)
    although = f", although {doubled.sentence}" if doubled.value else ""
    said = f"One attempt wrote at a time, with one process a rank ({count(len(job.starts), 'attempt')}){although}."
    return passed("writers", said, **figures)


@check(TRAINING, Role.RESTING, title="Checkpoints afterwards")
def checkpoints(case: Case) -> Check:
    """Check that checkpoints are made and verified again after recovery; without them the next fault would cost all steps since."""
    job, recovery = of_run(case), case.recovery
    if recovery is None or recovery.recovered_ns is None:
        return inconclusive("checkpoints", "Training was not seen to go on, so no checkpoint could be made after recovery.")
    later = [step for t_ns, step in verified_ns(job) if t_ns >= recovery.recovered_ns]
    if later:
        return passed("checkpoints", f"{count(len(later), 'checkpoint was', 'checkpoints were')} verified after recovery.")
    due_s = (job.done[-1].t_ns - recovery.recovered_ns) / 1e9
    steps = job.progress[-1].step - job.high_water(recovery.recovered_ns)
    said = f"No checkpoint was verified in {seconds(due_s)} and {count(steps, 'step')} after recovery."
    due = steps > 2 * job.plan.interval_steps
    return failed("checkpoints", said) if due else inconclusive("checkpoints", said)


@check(TRAINING, Role.RESTING, title="No impact (control)")
def impact(case: Case) -> Check | None:
    """Check that training was not out in a control run (no fault, or one on a decoy)."""
    if not case.control:
        return None
    recovery = case.recovery
    if recovery is None:
        return inconclusive("impact", "The control run was never observed.")
    if recovery.outages:
        return failed("impact", f"Nothing was broken, yet training was out {count(len(recovery.outages), 'time')}.")
    if recovery.recovered_ns is None:
        return inconclusive("impact", "The control run was watched for less than a hold.")
    return passed("impact", "The control run shows no impact: training was never out.")
