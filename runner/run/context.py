"""What the phases of one run share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from history.clock import now_ns
from history.errors import AftershockError
from history.plan import Phase
from history.schema import EventKind
from runner.drivers.driver import DrivenRun, WorkloadFailed
from runner.drivers.progress import Progress
from runner.event_log import RunLog
from runner.experiment.experiment import Experiment
from runner.messages import Kind, Send
from runner.run.toolkit_journal import ToolkitJournal
from runner.stop import Stop
from safety.active_run import ActiveRun

AWAITING = (Phase.INJECT, Phase.CONFIRM, Phase.OBSERVE)
"""The phases in which a fault that acts is not being healed yet."""


class NotSteady(AftershockError):
    """The hypothesis did not hold before the fault, so nothing was injected."""


class Unconfirmed(AftershockError):
    """The evidence of the fault did not become true, so nothing can be concluded from this run."""


@dataclass(slots=True)
class Observations:
    """The latest of what observer and sampler saw; written by their threads, read for progress and for the end of the observation."""

    ready: dict[str, int] = field(default_factory=dict)  # role -> ready replicas
    names: dict[str, frozenset[str]] = field(default_factory=dict)  # role -> their names
    ill: set[str] = field(default_factory=set)  # pods that did not answer well the last time, or whose node is silent
    queue: float | None = None
    desired: dict[str, int] = field(default_factory=dict)  # role -> replicas that its controllers want; else the plan's hold

    def serving(self, role: str) -> int:
        """Return how many replicas are ready by the rule of :mod:`kube.health.serving`, as the latest samples say."""
        return len(self.names.get(role, frozenset()) - self.ill)


@dataclass(slots=True)
class Context:
    """One run under way."""

    run: ActiveRun
    experiment: Experiment
    configuration: dict[str, object]
    stop: Stop
    send: Send
    toolkit_journal: ToolkitJournal
    log: RunLog
    observations: Observations = field(default_factory=Observations)
    progress: dict[str, Progress] = field(default_factory=dict)  # workload -> how it goes on, from its start on
    phase: Phase = Phase.PREFLIGHT
    phase_s: float = field(default_factory=time.monotonic)  # when it began, on the monotonic clock
    t_confirmed_ns: int | None = None
    stopped: bool = False  # a stop request interrupted it, and the history says so

    @contextmanager
    def during(self, phase: Phase) -> Iterator[None]:
        """Mark a phase in the history and at the terminal."""
        self.phase, self.phase_s = phase, time.monotonic()
        self.log.event(EventKind.PHASE, phase.value)
        self.send(Kind.PHASE, name=phase.value)
        try:
            yield
        finally:
            self.send(Kind.DONE, name=phase.value, seconds=self.elapsed_s, text=self.text())

    @property
    def elapsed_s(self) -> float:
        """Return how long the phase has lasted."""
        return time.monotonic() - self.phase_s

    def note(self, text: str) -> None:
        """Keep a sentence in the history and show it."""
        self.log.event(EventKind.NOTE, text=text)
        self.send(Kind.NOTE, text=text)

    def text(self, window_s: float = 5.0) -> str:
        """Return what is seen now: ``+12.4 s 31 % bad, p95 1.9 s, ready 2/3, queue 4``."""
        alone = len(self.progress) == 1
        parts = [one.text(window_s) if alone else f"{name}: {one.text(window_s)}" for name, one in self.progress.items()]
        desired = self.run.plan.replicas_desired | self.observations.desired
        parts += [f"{role} {self.observations.serving(role)}/{want}" for role, want in desired.items() if role in self.observations.ready]
        if self.observations.queue is not None:
            parts.append(f"queue {self.observations.queue:.0f}")
        since = "" if self.log.t_fault_ns is None else f"+{(now_ns() - self.log.t_fault_ns) / 1e9:.1f} s "
        return since + ", ".join(parts)

    def countdown(self) -> dict[str, float]:
        """Return the tightest budgeted RTO and what is left of it (s; below 0: past) while recovery is waited for; else nothing."""
        budgets_s = [one.budgets.rto_s for one in self.run.plan.workloads if one.budgets.rto_s is not None]
        if self.log.t_fault_ns is None or self.phase not in AWAITING or not budgets_s:
            return {}
        return {"rto_s": min(budgets_s), "left_s": round(min(budgets_s) - (now_ns() - self.log.t_fault_ns) / 1e9, 1)}

    @property
    def driven(self) -> DrivenRun:
        """Return what a driver is handed."""
        return DrivenRun(self.run.run_dir, self.run.plan, self.log, self.stop)

    def check_workloads(self) -> None:
        """Raise WorkloadFailed if a workload does not go on although nobody ended it."""
        wrong = [failure for failure in (one.failure() for one in self.progress.values()) if failure]
        if wrong:
            raise WorkloadFailed("; ".join(wrong))
