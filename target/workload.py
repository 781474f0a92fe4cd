"""Classes of workload as a target file writes them: budgets, and either SLO and load, or a training job."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field, model_validator

from history.budgets import Bounds
from history.errors import ConfigError
from history.kinds import REQUESTS, TRAINING
from history.values import Seconds, Share, Written
from history.workloads import Offer, Slo
from target.mistakes import refuse
from target.steady_state import SteadyState

Part = TypeVar("Part")


class WrittenSlo(Written):
    """When one request is good, and which share of them must be."""

    ratio: Share = Field(gt=0)
    latency: Seconds = Field(gt=0)
    ttft: Seconds | None = None
    max_gap: Seconds | None = None

    def slo(self) -> Slo:
        """Return it in the units of the history (ms)."""
        return Slo(
            ratio=self.ratio,
            latency_ms=self.latency * 1e3,
            ttft_ms=None if self.ttft is None else self.ttft * 1e3,
            max_gap_ms=None if self.max_gap is None else self.max_gap * 1e3,
        )


class WrittenLoad(Offer):
    """What the load generator offers to this class, and where."""

    endpoint: str  # a key of ``endpoints``; with ``workers_as: pods`` its name is theirs to resolve


class WrittenTraining(Written):
    """The training job that a class of workload is: made anew for each run, of a template that never runs by itself."""

    template: str  # a CronJob (suspended) in the namespace of the class's role; each run makes a Job of it
    ledger: str  # service:port of the ledger, in the same namespace
    storage: str  # the role that keeps checkpoints
    settings: dict[str, str] = Field(default_factory=dict)  # TRAIN_* that runs of this suite set otherwise


class WorkloadClass(Written):
    """A class of workload: its default budgets, and either SLO and load, or the training job that it is."""

    role: str  # the role that serves it
    written_slo: WrittenSlo | None = Field(default=None, alias="slo")
    budgets: Bounds = Bounds()
    written_load: WrittenLoad | None = Field(default=None, alias="load")
    training: WrittenTraining | None = None
    steady_state: SteadyState = SteadyState()

    @model_validator(mode="after")
    def _has_one_drive(self) -> WorkloadClass:
        """Demand an SLO with a load, or a training job."""
        missing = [name for name, part in (("slo", self.written_slo), ("load", self.written_load)) if part is None]
        if self.training is None and missing:
            raise ValueError(f"{' and '.join(missing)}: missing; a class has slo and load, or training")
        if self.training is not None and len(missing) < 2:
            raise ValueError("training: a class has slo and load, or training, not both")
        return self

    @model_validator(mode="after")
    def _is_steady_in_its_own_terms(self) -> WorkloadClass:
        """Refuse a steady state of requests for a training job, and the other way round."""
        if wrong := self.steady_state.misplaced(training=self.training is not None):
            kind = "a training job" if self.training is not None else "requests"
            raise ValueError(f"steady_state: {', '.join(wrong)} means nothing for {kind}; leave it out")
        return self

    @model_validator(mode="after")
    def _has_budgets_of_its_kind(self) -> WorkloadClass:
        """Refuse a budget that means nothing for what drives runs of this class."""
        refuse("WorkloadClass", [(("budgets", name), sentence) for name, sentence in self.budgets.misplaced(self.kind)])
        return self

    @property
    def kind(self) -> str:
        """What drives runs of this class."""
        return REQUESTS if self.training is None else TRAINING

    @property
    def job(self) -> WrittenTraining:
        """Return the training job. Raises ConfigError: this class is none."""
        if self.training is None:
            raise ConfigError("this class of workload is no training job")
        return self.training

    @property
    def slo(self) -> WrittenSlo:
        """Return when a request is good. Raises ConfigError: this class has no requests."""
        return _of_requests(self.written_slo)

    @property
    def load(self) -> WrittenLoad:
        """Return what is offered. Raises ConfigError: this class has no requests."""
        return _of_requests(self.written_load)


def _of_requests(part: Part | None) -> Part:
    if part is None:
        raise ConfigError("this class of workload is a training job: it has no requests, hence neither slo nor load")
    return part
