"""One workload of a run, prepared once for everything that measures and checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from history.answers import AnswerRule
from history.plan import Phase
from history.reader import Run
from history.schema import TRAINING
from history.workloads import Load, RequestsPlan, Slo, TrainingPlan, WorkloadPlan
from verdict.inputs.arrivals import Arrivals, scheduled_arrivals
from verdict.inputs.attempts import Attempts, attempts_of
from verdict.inputs.clocks import Clocks, clocks_of
from verdict.inputs.load_audit import LoadAudit, audit_of, resolution_s
from verdict.inputs.recovery import Recovery, recovery_of
from verdict.inputs.timeline import Timeline, timeline_of
from verdict.inputs.training_job import TrainingJob, training_job_of
from verdict.inputs.training_recovery import training_recovery


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: a workload of a run with its rows placed, its arrivals in order, its events parsed and its recovery found.

    ``run`` holds the rows of ``requests`` only if the workload is one of requests.
    """

    run: Run
    workload: WorkloadPlan
    timeline: Timeline
    attempts: Attempts
    arrivals: Arrivals
    audit: LoadAudit
    clocks: Clocks
    recovery: Recovery | None
    training: TrainingJob | None = None  # the workload, if it is a training job
    known: dict[tuple[object, ...], object] = field(init=False, repr=False, compare=False, default_factory=dict)  # see verdict.shared.once

    @property
    def kind(self) -> str:
        """Return which kind of workload it is: which checks and measurements are made."""
        return self.workload.kind

    @property
    def slo(self) -> Slo:
        """Return when a request is good. Raises HistoryError: the run has no requests."""
        return self.run.plan.requests.slo

    @property
    def load(self) -> Load:
        """Return what was offered. Raises HistoryError: the run has no requests."""
        return self.run.plan.requests.load

    @property
    def answers(self) -> AnswerRule:
        """Return how answers were compared with the known ones. Raises HistoryError: the run has no requests."""
        return self.run.plan.requests.answers

    @property
    def control(self) -> bool:
        """Whether the run is a control (no fault, or one aimed at a decoy), in which users must notice nothing."""
        return self.run.plan.experiment.fault != "fault"

    @property
    def resolution_s(self) -> float:
        """How finely an RTO can be read (s): for a training job, to a step, and to what the clocks of its hosts may be wrong by."""
        if self.training is not None:
            return self.training.usual_step_s + self.clocks.error_s + self.training.clocks.error_s
        if not isinstance(self.workload, RequestsPlan):
            return self.workload.reading_s + self.clocks.error_s
        return resolution_s(self.audit, self.clocks.error_s)

    @property
    def baseline_ns(self) -> tuple[int, int] | None:
        """The baseline (ns): from its (last) beginning to the fault; ``None``: there was none. What is under way then is no part of it."""
        begun = self.timeline.phase_ns(Phase.BASELINE)
        if begun is not None and not isinstance(self.workload, RequestsPlan):
            return begun, self.recovery.fault_ns if self.recovery else self.timeline.phase_ns(Phase.INJECT) or begun
        if begun is None or not len(self.arrivals):
            return None
        start_ns = max(begun, int(self.arrivals.t_ns[0]))
        end_ns = self.recovery.fault_ns if self.recovery else self.timeline.phase_ns(Phase.INJECT) or self.arrivals.stop_ns
        return start_ns, max(start_ns, end_ns)

    def after_fault_s(self, t_ns: int) -> float:
        """Return ``t_ns`` in seconds after the fault (or after the first arrival, if there was no fault)."""
        zero_ns = self.recovery.fault_ns if self.recovery else int(self.arrivals.t_ns[0]) if len(self.arrivals) else t_ns
        return (t_ns - zero_ns) / 1e9


Recover = Callable[[Case], Recovery | None]
"""Finds what a workload went through after the fault, in a case that has everything but that."""
RECOVERIES: dict[str, Recover] = {}
"""By kind of workload; see :func:`recovery`."""


def recovery(kind: str) -> Callable[[Recover], Recover]:
    """Register how recovery is found for a kind of workload. Without one, a workload has no recovery to measure."""

    def register(function: Recover) -> Recover:
        RECOVERIES[kind] = function
        return function

    return register


@recovery("requests")
def _of_requests(case: Case) -> Recovery | None:
    return recovery_of(case.run.plan, case.timeline, case.arrivals)


@recovery("training")
def _of_training(case: Case) -> Recovery | None:
    return training_recovery(case.run.plan, case.timeline, case.training) if case.training is not None else None


def case_of(run: Run, workload: WorkloadPlan | None = None) -> Case:
    """Prepare one workload of ``run``; the first, unless another is named."""
    workload = workload or run.plan.first
    if not isinstance(workload, RequestsPlan):
        run = replace(run, requests=run.requests.clear(), schedule=run.schedule.clear())
    timeline, attempts = timeline_of(run), attempts_of(run)
    arrivals = scheduled_arrivals(run, attempts)
    case = Case(
        run=run,
        workload=workload,
        timeline=timeline,
        attempts=attempts,
        arrivals=arrivals,
        audit=audit_of(run, timeline, attempts, arrivals),
        clocks=clocks_of(timeline),
        recovery=None,
        training=_training(run, workload),
    )
    return replace(case, recovery=RECOVERIES[workload.kind](case)) if workload.kind in RECOVERIES else case


def _training(run: Run, workload: WorkloadPlan) -> TrainingJob | None:
    if not isinstance(workload, TrainingPlan):
        return None
    rows = run.ledgers.get("training", pl.DataFrame(schema=TRAINING))
    return training_job_of(workload.job, rows, run.ledgers.get("reference"), workload.budgets.rto_s)
