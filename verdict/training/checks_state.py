"""Checks that compare a training job with its undisturbed run: state, samples; and that one process wrote for each rank."""

from __future__ import annotations

from math import inf, isfinite

from history.kinds import TRAINING
from history.result import Check
from verdict.case import Case
from verdict.inputs.training_job import TrainingJob
from verdict.shared.registry import Role, check
from verdict.shared.results import Figures, failed, inconclusive, passed
from verdict.training.checks import of_run
from verdict.training.exactly_once import seen_of, states_of, two_writers
from verdict.training.losses import nearness_of
from verdict.training.needs import HOST, LOSS, PID, SAMPLES, lacking, missing_in, undigested
from verdict.training.pods import pods_doubled
from verdict.training.resized import FEWEST_STEPS, LOSS_SHARE, Losses, losses_of
from verdict.words import count, listed, percent


@check(TRAINING, Role.OWN, title="State as undisturbed")
def state(case: Case) -> Check | None:
    """Check that the whole state equals that of an undisturbed run, as the class asks, at every step compared, up to after recovery.

    ``exact``: its digests, bit by bit. ``tolerance``: the loss of each step lies within the class's share of the undisturbed run's (on
    GPUs bits differ from run to run). ``none``: it is not checked. The comparison ends where a batch was set aside: from there on the two
    rightly differ. Where another number of ranks took part, this is compared up to there, and the mean loss from there on. Source: training
    ledger, reference.
    """
    job = of_run(case)
    if job.plan.state.mode == "none":
        return None
    if job.plan.state.losses is not None:
        return _near(case, job, job.plan.state.losses)
    return _equal(case, job)


def _equal(case: Case, job: TrainingJob) -> Check:
    states = states_of(job)
    if job.reference.is_empty() or not states.compared:
        why = undigested(job) or "there is no reference, or no common step"
        return inconclusive("state", f"The state was not compared with an undisturbed run: {why}.")
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
        return _resized(f"The state equals an undisturbed run's up to step {states.last}", losses, figures)
    if states.last <= _lost_by(case, job):
        return inconclusive("state", f"The last state compared is that of step {states.last}, before recovery.", **figures)
    said = f"The state equals an undisturbed run's to the bit in all {count(states.compared, 'comparison')}, up to step {states.last}."
    return passed("state", said, **figures)


def _near(case: Case, job: TrainingJob, tolerance: float) -> Check:
    """Judge a state by the losses that came of it, step by step."""
    states, opening = states_of(job), "The losses were not compared with an undisturbed run's"
    near = nearness_of(job, before=states.aside or inf)
    figures = Figures(measured=near.apart if isfinite(near.apart) else None, budget=tolerance, unit="ratio")
    if near.apart > tolerance:
        far = f"lies {percent(near.apart)} from an undisturbed run's" if isfinite(near.apart) else "or an undisturbed run's is no number"
        return failed("state", f"At step {near.at} the loss {far}; the class allows {percent(tolerance)}.", **figures)
    if why := missing_in(job, LOSS) or ("" if near.compared else "there is no reference, or no common step"):
        return inconclusive("state", f"{opening}: {why}.", **figures)
    said = f"The losses lie within {percent(near.apart)} of an undisturbed run's in {count(near.compared, 'step')}, up to step {near.last}"
    if states.aside:
        return passed("state", f"{said}; at step {states.aside} a batch was set aside, which changes them.", **figures)
    if (losses := losses_of(job)) is not None:
        return _resized(said, losses, figures)
    if near.last <= _lost_by(case, job):
        return inconclusive("state", f"{said}, which is before recovery.", **figures)
    return passed("state", f"{said}; the class allows {percent(tolerance)}.", **figures)


def _lost_by(case: Case, job: TrainingJob) -> int:
    """Return the step that was reached when the fault began: only what was compared beyond it tells of recovery."""
    return job.high_water(case.recovery.fault_ns) if case.recovery else 0


def _resized(until: str, losses: Losses, figures: Figures) -> Check:
    """Judge what went on with another number of ranks: by its losses, since its bits rightly differ."""
    said = (
        f"{until}; from step {losses.since} on another number of ranks took part. "
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
    if missing := missing_in(job, SAMPLES):
        return inconclusive("samples", f"The samples cannot be counted: {missing}.")
    seen = seen_of(job)
    if seen is None or not seen.steps:
        return inconclusive("samples", "There is no undisturbed run to compare the samples with.")
    wrong = seen.skipped + seen.repeated
    figures = Figures(measured=float(wrong), budget=0.0, unit="samples")
    if wrong:
        said = f"{count(seen.skipped, 'sample was', 'samples were')} skipped and {seen.repeated:,} repeated in {seen.steps:,} steps."
        return failed("samples", said, **figures)
    if seen.steps <= _lost_by(case, job):
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
    if missing := lacking(job.rows, HOST) or lacking(job.rows, PID):
        return inconclusive("writers", f"Nobody knows whether a rank was one process: {missing}.", **figures)
    doubled = pods_doubled(case)
    although = f", although {doubled.sentence}" if doubled.value else ""
    said = f"One attempt wrote at a time, with one process a rank ({count(len(job.starts), 'attempt')}){although}."
    return passed("writers", said, **figures)
