"""The fault as a training job went through it: what it lost, when it was beyond that again, and where its time went."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import polars as pl

from history.kinds import TRAINING
from history.ledgers import detail_of
from verdict.case import Case
from verdict.inputs.training_job import Start, TrainingJob, newest_verified, verified_ns
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.users import rto
from verdict.training.exactly_once import seen_of, states_of
from verdict.training.exactly_once import two_writers as writers
from verdict.training.losses import nearness_of

NO_JOB = Value(None, "the run followed no training job")


def since_fault(case: Case, of: Callable[[TrainingJob, tuple[Start, ...], int], Value]) -> Value:
    """Return ``of`` the job, the new attempts from the fault to healing, and t_fault (ns); no value without a job or a fault."""
    if case.training is None:
        return NO_JOB
    if case.recovery is None:
        return NO_FAULT
    watched = tuple(start for start in case.training.resumed(case.recovery.fault_ns) if start.t_ns <= case.recovery.watched_ns)
    return of(case.training, watched, case.recovery.fault_ns)


@measure("s", TRAINING)
def rto_train(case: Case) -> Value:
    """From t_fault to the first step beyond the high-water mark, the highest step that was done before; 0 if training was never out.

    It ends with the last outage of training that began before healing. Progress is a step beyond all before. An outage is a
    pause between two of them in which a new attempt began, or that is longer than 3 s and 10 usual steps, or than the budget (and 2 usual
    steps). Doing again what was lost is part of it. Times of the ranks' hosts are corrected by their offsets, where these are known. The
    value is a lower bound if training did not go on for a whole hold. Source: training ledger.
    """
    return rto(case) if case.training is not None else NO_JOB


@measure("s", TRAINING)
def rto_train_first(case: Case) -> Value:
    """From t_fault to the first step that all ranks of the last new attempt did: before the lost steps are done again.

    Without a new attempt it is rto_train. Source: training ledger.
    """

    def first(job: TrainingJob, starts: tuple[Start, ...], fault_ns: int) -> Value:
        if not starts:
            return rto(case)
        done = [step.t_ns for step in job.done if step.attempt == starts[-1].attempt]
        return Value((min(done) - fault_ns) / 1e9) if done else Value(None, "no step was done after the last start")

    return since_fault(case, first)


@measure("steps", TRAINING)
def lost_steps(case: Case) -> Value:
    """How many steps any rank had done before a new attempt began that are not in the state it went on from; of several, the most.

    0 if no new attempt began after the fault. The RPO of training. Source: training ledger.
    """
    return since_fault(case, lambda job, starts, _: Value(max(map(job.lost_steps, starts), default=0)))


@measure("samples", TRAINING)
def rpo_samples(case: Case) -> Value:
    """How many samples of all ranks are in the lost steps. Source: training ledger, plan."""
    steps = lost_steps(case)
    return steps if steps.value is None or case.training is None else Value(steps.value * case.training.plan.batch)


@measure("s", TRAINING)
def rpo_seconds(case: Case) -> Value:
    """How old the state was that training went on from: the time between the restored step and the last one done before the restart.

    Both count when they were first done. Of several new attempts, the most; a start from nothing counts from the first step. Source:
    training ledger.
    """

    def age(job: TrainingJob, starts: tuple[Start, ...], _: int) -> Value:
        if not starts or not job.progress:
            return Value(0.0 if job.progress else None, "" if job.progress else "no step was done")
        ages = []
        for start in starts:
            before = [step for step in job.progress if step.t_ns < start.t_ns]
            restored = [step.t_ns for step in before if step.step <= start.step] or [step.t_ns for step in before[:1]]
            ages.append(before[-1].t_ns - restored[-1] if before else 0)
        return Value(max(ages) / 1e9)

    return since_fault(case, age)


@measure("starts", TRAINING)
def restarts(case: Case) -> Value:
    """How many new attempts began after the fault and before healing. Source: training ledger."""
    return since_fault(case, lambda _job, starts, _: Value(len(starts)))


@measure("ratio", TRAINING)
def save_success(case: Case) -> Value:
    """Share of saves, each store on its own, that were committed and verified after the fault. Source: training ledger."""

    def share(job: TrainingJob, _starts: tuple[Start, ...], fault_ns: int) -> Value:
        rows = job.rows.filter((job.rows["kind"] == "checkpoint") & (job.rows["t_ns"] > fault_ns))
        stores = [store for text in rows["detail"] for store in detail_of(text).get("stores") or ()]
        return Value(sum(not store.get("problem") for store in stores) / len(stores)) if stores else Value(None, "nothing was saved")

    return since_fault(case, share)


@measure("s", TRAINING)
def verified_age(case: Case) -> Value:
    """How old the newest verified checkpoint became between the fault and healing: the most that a loss would have cost.

    A checkpoint counts from when its save was verified, and is as old as its step. Source: training ledger.
    """
    if case.training is None or case.recovery is None:
        return NO_JOB if case.training is None else NO_FAULT
    done_ns = {step.step: step.t_ns for step in reversed(case.training.done)}  # when a step was first done
    known = [(t_ns, done_ns[step]) for t_ns, step in verified_ns(case.training) if step in done_ns]
    start_ns, end_ns = case.recovery.fault_ns, case.recovery.watched_ns
    before = [taken for t_ns, taken in known if t_ns <= start_ns]
    if not before:
        return Value(None, "no checkpoint was verified before the fault")
    ages, newest = [], max(before)
    for t_ns, taken in [(t_ns, taken) for t_ns, taken in known if start_ns < t_ns <= end_ns] + [(end_ns, 0)]:
        ages.append(t_ns - newest)
        newest = max(newest, taken)
    return Value(max(ages) / 1e9)


@measure("checkpoints", TRAINING)
def verified_checkpoints(case: Case) -> Value:
    """How many saves since the fault left a verified checkpoint in at least one store. Source: training ledger."""

    def held(job: TrainingJob, _starts: tuple[Start, ...], fault_ns: int) -> Value:
        rows = job.rows.filter((job.rows["kind"] == "checkpoint") & (job.rows["t_ns"] > fault_ns))
        return Value(sum(newest_verified(detail_of(text)) is not None for text in rows["detail"]))

    return since_fault(case, held)


@measure("samples", TRAINING)
def samples_skipped(case: Case) -> Value:
    """How many samples this run did not see that an undisturbed one of as many steps saw. Source: training ledger, reference."""
    seen = seen_of(case.training) if case.training is not None else None
    return Value(None, "there is no reference to compare with") if seen is None else Value(seen.skipped, f"{seen.steps} steps")


@measure("samples", TRAINING)
def samples_repeated(case: Case) -> Value:
    """How many more times this run saw samples than an undisturbed one, replay not counted. Source: training ledger, reference."""
    seen = seen_of(case.training) if case.training is not None else None
    return Value(None, "there is no reference to compare with") if seen is None else Value(seen.repeated, f"{seen.steps} steps")


@measure("states", TRAINING)
def states_differing(case: Case) -> Value:
    """At how many steps the digest of the whole state was not that of an undisturbed run. Source: training ledger, reference.

    Where the class compares losses (``tolerance``) or nothing (``none``), it is told and judges nothing.
    """
    states = states_of(case.training) if case.training is not None else None
    return (
        Value(len(states.differing), f"of {states.compared} compared") if states and states.compared else Value(None, "none was compared")
    )


@measure("ratio", TRAINING)
def losses_apart(case: Case) -> Value:
    """How far the loss of a step lay from an undisturbed run's, as a share of it: the largest of all steps.

    Steps in which another number of ranks took part are left out, and all from the first batch that was set aside. Source: training ledger,
    reference.
    """
    if case.training is None:
        return NO_JOB
    near = nearness_of(case.training, before=states_of(case.training).aside or inf)
    return Value(near.apart, f"at step {near.at}, of {near.compared} compared") if near.compared else Value(None, "none was compared")


@measure("batches", TRAINING)
def batches_set_aside(case: Case) -> Value:
    """How many batches were set aside after the fault because of their loss or gradient: nothing was learnt from them.

    Source: training ledger.
    """

    def aside(job: TrainingJob, _starts: tuple[Start, ...], fault_ns: int) -> Value:
        rows = job.rows.filter((pl.col("outcome") == "quarantined") & (pl.col("t_ns") >= fault_ns))
        steps = rows["step"].unique().sort().to_list()
        return Value(len(steps), f"at step {', '.join(map(str, steps))}" if steps else "")

    return since_fault(case, aside)


@measure("steps", TRAINING)
def divergence_found(case: Case) -> Value:
    """How many steps all ranks did from t_fault until a comparison found that they hold different weights. Source: training ledger."""

    def steps_until(job: TrainingJob, _starts: tuple[Start, ...], fault_ns: int) -> Value:
        rows = job.rows.filter((pl.col("kind") == "divergence") & (pl.col("t_ns") >= fault_ns)).sort("t_ns")
        if rows.is_empty():
            return Value(None, "no ranks were found to differ")
        step = int(rows["step"][0])
        return Value(max(0, step - job.high_water(fault_ns)), str(detail_of(rows["detail"][0]).get("sentence", "")))

    return since_fault(case, steps_until)


@measure("writers", TRAINING)
def two_writers(case: Case) -> Value:
    """How often two processes wrote for one run: an attempt went on after a newer one had begun, or one rank was two processes.

    Source: training ledger.
    """
    return NO_JOB if case.training is None else Value(len(writers(case.training)))


@measure("restarts", TRAINING)
def restarts_left(case: Case) -> Value:
    """How many restarts torchrun had left after its last start (its count begins anew when torchrun itself is started again).

    Source: training ledger, plan.
    """
    if case.training is None or not case.training.starts:
        return NO_JOB
    most, used = case.training.plan.max_restarts, case.training.starts[-1].detail.get("restart")
    return Value(most - used) if isinstance(used, int) else Value(None, "the start does not say how many were used")
