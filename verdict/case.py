"""A run, prepared once for everything that measures and checks it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from history import kinds
from history.plan import Phase
from history.reader import Run
from history.schema import TRAINING
from verdict.inputs.arrivals import Arrivals, scheduled_arrivals
from verdict.inputs.attempts import Attempts, attempts_of
from verdict.inputs.clocks import Clocks, clocks_of
from verdict.inputs.goodness import longest_limit_ms
from verdict.inputs.load_audit import LoadAudit, audit_of, resolution_s
from verdict.inputs.recovery import Recovery, recovery_of
from verdict.inputs.timeline import Timeline, timeline_of
from verdict.inputs.training_job import TrainingJob, training_job_of
from verdict.inputs.training_recovery import training_recovery


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: a run with its rows placed, its arrivals in order, its events parsed and its recovery found."""

    run: Run
    timeline: Timeline
    attempts: Attempts
    arrivals: Arrivals
    audit: LoadAudit
    clocks: Clocks
    recovery: Recovery | None
    training: TrainingJob | None = None  # of the training job that the run follows instead of offering requests
    kind: str = kinds.REQUESTS  # of workload: which checks and measurements are made
    known: dict[tuple[object, ...], object] = field(init=False, repr=False, compare=False, default_factory=dict)  # see verdict.shared.once

    @property
    def control(self) -> bool:
        """Whether the run is a control (no fault, or one aimed at a decoy), in which users must notice nothing."""
        return self.run.plan.experiment.fault != "fault"

    @property
    def resolution_s(self) -> float:
        """How finely an RTO can be read (s): for a training job, to a step."""
        if self.training is not None:
            return self.training.usual_step_s + self.clocks.error_s
        return resolution_s(self.audit, self.clocks.error_s)

    @property
    def baseline_ns(self) -> tuple[int, int] | None:
        """The baseline (ns): from its (last) beginning to where no request can still have met the fault; ``None``: there was none."""
        begun = self.timeline.phase_ns(Phase.BASELINE)
        if begun is not None and self.training is not None:
            return begun, self.recovery.fault_ns if self.recovery else self.timeline.phase_ns(Phase.INJECT) or begun
        if begun is None or not len(self.arrivals):
            return None
        start_ns = max(begun, int(self.arrivals.t_ns[0]))
        end_ns = self.recovery.fault_ns if self.recovery else self.timeline.phase_ns(Phase.INJECT) or self.arrivals.stop_ns
        return start_ns, max(start_ns, end_ns - int(longest_limit_ms(self.run.plan.slo) * 1e6))

    def after_fault_s(self, t_ns: int) -> float:
        """Return ``t_ns`` in seconds after the fault (or after the first arrival, if there was no fault)."""
        zero_ns = self.recovery.fault_ns if self.recovery else int(self.arrivals.t_ns[0]) if len(self.arrivals) else t_ns
        return (t_ns - zero_ns) / 1e9


def case_of(run: Run) -> Case:
    """Prepare ``run``."""
    timeline, attempts = timeline_of(run), attempts_of(run)
    arrivals = scheduled_arrivals(run, attempts)
    training = _training(run)
    return Case(
        run=run,
        timeline=timeline,
        attempts=attempts,
        arrivals=arrivals,
        audit=audit_of(run, timeline, attempts, arrivals),
        clocks=clocks_of(timeline),
        recovery=recovery_of(run.plan, timeline, arrivals) if training is None else training_recovery(run.plan, timeline, training),
        training=training,
        kind=kinds.REQUESTS if training is None else kinds.TRAINING,
    )


def _training(run: Run) -> TrainingJob | None:
    if run.plan.training is None:
        return None
    rows = run.training.get("training", pl.DataFrame(schema=TRAINING))
    return training_job_of(run.plan.training, rows, run.training.get("reference"))
