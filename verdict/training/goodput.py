"""Where a training job's time went: goodput, and badput in the buckets of Google's goodput measurement (ml-goodput-measurement)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from history.kinds import TRAINING
from verdict.case import Case
from verdict.inputs.training_job import Break, TrainingJob
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.training.measures import NO_JOB


@dataclass(frozen=True, slots=True)
class Goodput:
    """Time (s) from the first step to the end of what was watched; the parts sum up to ``wall_s``.

    ``productive_s``: steps beyond all before, and the pauses between them that are no outage. ``recovery_s`` (infrastructure recovery):
    from the last progress to the begin of a restore, failed attempts included. ``restore_s`` (checkpoint restore): as the attempts
    say. ``replay_s`` (wasted progress): steps that had been done before are done again. ``stall_s``: nothing moves and no attempt begins.
    """

    wall_s: float = 0.0
    productive_s: float = 0.0
    recovery_s: float = 0.0
    restore_s: float = 0.0
    replay_s: float = 0.0
    stall_s: float = 0.0


def goodput_of(job: TrainingJob, until_ns: int) -> Goodput | None:
    """Return where the time from the first step to ``until_ns`` went; None if no step was done by then."""
    if not job.progress or job.progress[0].t_ns >= until_ns:
        return None
    first_ns = job.progress[0].t_ns
    wall_s = (until_ns - first_ns) / 1e9
    parts = [_parts(job, pause, until_ns) for pause in job.breaks(first_ns, until_ns)]
    lost_s = [sum(part[index] for part in parts) for index in range(4)]  # recovery, restore, replay, stall
    return Goodput(wall_s, wall_s - sum(lost_s), *lost_s)


def _parts(job: TrainingJob, pause: Break, until_ns: int) -> tuple[float, float, float, float]:
    """Return recovery, restore, replay and stall (s) of one break; a new attempt ends the one before."""
    end_ns = until_ns if pause.end_ns is None else pause.end_ns
    starts = [start for start in job.starts if pause.start_ns < start.t_ns <= end_ns]
    if not starts:
        return 0.0, 0.0, 0.0, (end_ns - pause.start_ns) / 1e9
    restore_ns = replay_ns = 0.0
    mark_ns = pause.start_ns
    for start, next_ns in zip(starts, [*(start.t_ns for start in starts[1:]), end_ns], strict=True):
        restore_ns += min(start.restore_s * 1e9, start.t_ns - mark_ns)
        again = (step for step in job.done if step.attempt == start.attempt and step.step <= pause.step)
        done = [step.t_ns for step in again if start.t_ns < step.t_ns <= next_ns]
        mark_ns = max(done, default=start.t_ns)
        replay_ns += mark_ns - start.t_ns
    lasted_ns = (end_ns if pause.end_ns is None else mark_ns) - pause.start_ns  # the step that ends a break is progress
    return (lasted_ns - restore_ns - replay_ns) / 1e9, restore_ns / 1e9, replay_ns / 1e9, 0.0


@measure("ratio", TRAINING)
def ettr(case: Case) -> Value:
    """Effective training time ratio: productive time over wall time, from the first step to healing. Source: training ledger.

    Time is productive if it went into steps beyond all before, not into restarts, restores and steps done again (Meta: "Revisiting
    Reliability").
    """
    return _spent(case, lambda spent: spent.productive_s / spent.wall_s)


@measure("s", TRAINING)
def badput_recovery(case: Case) -> Value:
    """Time until a new attempt began to restore: detection, new pods, start, failed attempts. Source: training ledger."""
    return _spent(case, lambda spent: spent.recovery_s)


@measure("s", TRAINING)
def badput_restore(case: Case) -> Value:
    """Time in which checkpoints were loaded and verified. Source: training ledger."""
    return _spent(case, lambda spent: spent.restore_s)


@measure("s", TRAINING)
def badput_replay(case: Case) -> Value:
    """Time in which steps were done again (wasted progress). Source: training ledger."""
    return _spent(case, lambda spent: spent.replay_s)


@measure("s", TRAINING)
def badput_stall(case: Case) -> Value:
    """Time in which nothing moved although no new attempt began. Source: training ledger."""
    return _spent(case, lambda spent: spent.stall_s)


@measure("s", TRAINING)
def longest_pause(case: Case) -> Value:
    """Longest time from one step of progress to the next between the fault and healing, outages included. Source: training ledger."""
    if case.training is None or case.recovery is None:
        return NO_JOB if case.training is None else NO_FAULT
    return Value(case.training.longest_pause_s(case.recovery.fault_ns, case.recovery.watched_ns))


def _spent(case: Case, of: Callable[[Goodput], float]) -> Value:
    if case.training is None or case.recovery is None:
        return NO_JOB if case.training is None else NO_FAULT
    spent = goodput_of(case.training, case.recovery.watched_ns)
    return Value(None, "no step was done") if spent is None else Value(of(spent))
