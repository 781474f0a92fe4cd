"""A training job from its ledger: which steps were done, when training was beyond everything before, and what each start went on from.

A step is *done* when every rank has a row of it in the same attempt. *Progress* is a step beyond all that were done before it, in any
attempt. What an attempt does again after it resumed from a checkpoint is no progress. Training is *out* between two steps of progress if a
new attempt began between them, or if they lie further apart than a stall: 3 s and ten usual steps, or the budget of the recovery time if
that is less (two usual steps at least: a step is as finely as can be told).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from history.ledger_clocks import NO_CLOCKS, LedgerClocks, clocks_of_ledger, placed
from history.ledgers import detail_of, done_steps
from history.workloads import Training
from verdict.inputs.attempts import Ints

STALL_S = 3.0
"""A pause between two steps of progress that is longer is an outage even without a new attempt; a save or a busy machine pauses less."""
STALL_STEPS = 10
"""So is none that is shorter than this many usual steps, unless it is longer than the budget."""
FEWEST_STALL_STEPS = 2
"""No pause that is shorter than this many usual steps is an outage, whatever the budget."""


class Step(NamedTuple):
    """A step that all ranks did in one attempt."""

    t_ns: int
    attempt: int
    step: int


@dataclass(frozen=True, slots=True)
class Start:
    """An attempt began, from the checkpoint of ``step`` (0: from nothing). ``detail`` as rank 0 wrote it."""

    t_ns: int
    attempt: int
    step: int
    detail: Mapping[str, Any]

    @property
    def ranks(self) -> int:
        """How many ranks it has."""
        return int(self.detail.get("world") or 0)

    @property
    def restore_s(self) -> float:
        """How long its restore took."""
        return float(self.detail.get("restore_s") or 0.0)

    @property
    def depth(self) -> int:
        """How many newer checkpoints it passed over."""
        return int(self.detail.get("depth") or 0)

    @property
    def rejected(self) -> tuple[str, ...]:
        """What it passed over, and why."""
        return tuple(str(reason) for reason in self.detail.get("rejected") or ())


class Break(NamedTuple):
    """Training was out: from its last progress to the next. ``end_ns`` is None if there was none."""

    start_ns: int
    end_ns: int | None
    step: int  # the last one done before it: the high-water mark


@dataclass(frozen=True)
class TrainingJob:
    """What one training job did, by its ledger.

    Columns of ``rows`` and ``reference``: :data:`history.schema.TRAINING`. ``budget_s``: how long it may take until training is beyond its
    high-water mark (None: there is no such budget).
    """

    plan: Training
    rows: pl.DataFrame  # each once, timed by the clock that times faults
    reference: pl.DataFrame  # those of its undisturbed reference run (may be empty)
    budget_s: float | None = None
    clocks: LedgerClocks = NO_CLOCKS

    @cached_property
    def starts(self) -> tuple[Start, ...]:
        """Every attempt that began, in order of time."""
        rows = self.rows.filter(pl.col("kind") == "start").sort("t_ns").select("t_ns", "attempt", "step", "detail")
        return tuple(Start(t_ns, attempt, step, detail_of(detail)) for t_ns, attempt, step, detail in rows.iter_rows())

    @cached_property
    def done(self) -> tuple[Step, ...]:
        """Every step that all ranks of its attempt did, in order of time; attempts whose start is not recorded have the job's ranks."""
        return tuple(Step(*row) for row in done_steps(self.rows, self.plan.ranks).iter_rows())

    @cached_property
    def progress(self) -> tuple[Step, ...]:
        """Every step beyond all that were done before it, in order of time."""
        beyond: list[Step] = []
        for step in self.done:
            if not beyond or step.step > beyond[-1].step:
                beyond.append(step)
        return tuple(beyond)

    @cached_property
    def newest_attempt(self) -> dict[int, int]:
        """By step: the newest attempt that did it, whose result is in the end state."""
        return {step.step: step.attempt for step in sorted(self.done, key=lambda step: step.attempt)}

    @cached_property
    def usual_step_s(self) -> float:
        """The median time from one step of progress to the next (0: there are no two)."""
        gaps = np.diff(self.progress_ns)
        return float(np.median(gaps)) / 1e9 if len(gaps) else 0.0

    @property
    def progress_ns(self) -> Ints:
        """When each step of progress was done, shape (n,)."""
        return np.array([step.t_ns for step in self.progress], dtype=np.int64)

    @property
    def stall_s(self) -> float:
        """The longest pause between two steps of progress that is no outage."""
        usual_s = max(STALL_S, STALL_STEPS * self.usual_step_s)
        return max(FEWEST_STALL_STEPS * self.usual_step_s, usual_s if self.budget_s is None else min(usual_s, self.budget_s))

    def longest_pause_s(self, since_ns: int, until_ns: int) -> float:
        """Return the longest time in [since_ns, until_ns] from one step of progress to the next, or to its end (s)."""
        ends = [*(step.t_ns for step in self.progress if step.t_ns <= until_ns), *([] if self.finished_by(until_ns) else [until_ns])]
        return max((after - max(before, since_ns) for before, after in pairwise(ends) if after > since_ns), default=0) / 1e9

    def finished_by(self, t_ns: int) -> bool:
        """Tell whether the job's last step was done by ``t_ns``: that nothing moves afterwards is no outage."""
        return any(step.step >= self.plan.steps for step in self.progress[-1:] if step.t_ns <= t_ns)

    def breaks(self, since_ns: int, until_ns: int) -> tuple[Break, ...]:
        """Return when training was out in [since_ns, until_ns], in order of time."""
        stall_ns, breaks = int(self.stall_s * 1e9), []
        steps = [step for step in self.progress if step.t_ns <= until_ns]
        for before, after in pairwise(steps):
            if after.t_ns > since_ns and (after.attempt != before.attempt or after.t_ns - before.t_ns > stall_ns):
                breaks.append(Break(max(before.t_ns, since_ns), after.t_ns, before.step))
        if steps and until_ns - steps[-1].t_ns > stall_ns and not self.finished_by(until_ns):
            breaks.append(Break(max(steps[-1].t_ns, since_ns), None, steps[-1].step))
        return tuple(breaks)

    def high_water(self, t_ns: int) -> int:
        """Return the highest step that was done by ``t_ns`` (0: none)."""
        return max((step.step for step in self.progress if step.t_ns <= t_ns), default=0)

    def resumed(self, since_ns: int) -> tuple[Start, ...]:
        """Return the attempts that began after ``since_ns``, other than the job's first."""
        return tuple(start for start in self.starts[1:] if start.t_ns > since_ns)

    def lost_steps(self, start: Start) -> int:
        """Return how many steps that any rank had done before ``start`` are not in the state that it went on from."""
        done = self.rows.filter((pl.col("kind") == "step") & (pl.col("t_ns") < start.t_ns) & (pl.col("attempt") < start.attempt))
        return max(0, int(done.select(pl.col("step").max()).item() or 0) - start.step)


def training_job_of(
    plan: Training, rows: pl.DataFrame, reference: pl.DataFrame | None = None, budget_s: float | None = None
) -> TrainingJob:
    """Return the job that its ledger's rows tell of; a row that was sent twice (same process, kind and step) counts once."""
    rows, clocks = _once(rows), clocks_of_ledger(rows)
    undisturbed = rows.clear() if reference is None else placed(_once(reference), NO_CLOCKS)
    return TrainingJob(plan, placed(rows, clocks).sort("t_ns", maintain_order=True), undisturbed, budget_s, clocks)


def _once(rows: pl.DataFrame) -> pl.DataFrame:
    same = ["attempt", "rank", "kind", "step", "host", "pid"]
    return rows.unique(subset=same, keep="first", maintain_order=True)


def recovered(job: TrainingJob, t_fault_ns: int, not_before_ns: int, hold_s: float, now_ns: int) -> bool:
    """Tell whether training has been beyond its high-water mark for ``hold_s`` after the fault and after ``not_before_ns``, and goes on."""
    breaks = job.breaks(t_fault_ns, now_ns)
    if not job.progress or any(pause.end_ns is None for pause in breaks):
        return False
    since_ns = max([t_fault_ns, not_before_ns, *(pause.end_ns for pause in breaks if pause.end_ns is not None)])
    until_ns = now_ns if job.finished_by(now_ns) else job.progress[-1].t_ns
    return until_ns - since_ns >= hold_s * 1e9


def verified_ns(job: TrainingJob) -> Sequence[tuple[int, int]]:
    """Return (when it was known, step) of each checkpoint that at least one store holds verified, in order of time."""
    rows = job.rows.filter(pl.col("kind") == "checkpoint").select("t_ns", "detail")
    return [(t_ns, step) for t_ns, detail in rows.iter_rows() if (step := newest_verified(detail_of(detail))) is not None]


def newest_verified(checkpoint: Mapping[str, Any]) -> int | None:
    """Return the step of the newest checkpoint that a store had verified after a save (None: no store had)."""
    stores = checkpoint.get("stores") or ()
    found = [_step_of(store.get("verified")) for store in stores if isinstance(store, dict) and not store.get("problem")]
    return max((step for step in found if step is not None), default=None)


def _step_of(verified: object) -> int | None:
    """Return the step of ``[step, attempt]``, or of a step alone."""
    step = verified[0] if isinstance(verified, list) and verified else verified
    return step if isinstance(step, int) else None
