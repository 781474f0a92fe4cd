"""Classes of workload as a target file writes them: budgets, and either SLO and load, or a training job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from history.budgets import Bounds
from history.errors import ConfigError
from history.values import Share, Written
from history.workloads import Offer, Slo, TrainingJob
from target.mistakes import refuse
from target.steady_state import SteadyState
from target.yaml_source import Keys

Part = TypeVar("Part")
MISSING = "missing; it is required"
PARTS = {"requests": frozenset({"slo", "load"}), "training": frozenset({"job"})}
"""What each kind that is built needs, and no other has."""


class Answers(Written):
    """How an answer is compared with the one that is known: token by token."""

    mode: Literal["exact", "prefix", "scored", "unknown"] = "exact"
    may_differ: Share = 0.0


class Connections(Written):
    """How the load keeps connections: all requests share some (``shared``), each has its own, or each simulated user has one."""

    mode: Literal["shared", "each_request", "users"] = "shared"
    users: int | None = Field(default=None, gt=0)


class State(Written):
    """How a training job's state is compared with that of its undisturbed run: bit by bit."""

    mode: Literal["exact", "tolerance", "none"] = "exact"
    losses: float | None = Field(default=None, gt=0)


class WorkloadClass(Written):
    """A class of workload: its default budgets, and either SLO and load, or the training job that it is."""

    kind: Literal["requests", "training", "async", "features", "pipeline"]
    role: str  # the role that serves it
    requests_slo: Slo | None = Field(default=None, alias="slo")
    steady_state: SteadyState = SteadyState()
    budgets: Bounds = Bounds()
    answers: Answers = Answers()
    connections: Connections = Connections()
    requests_load: Offer | None = Field(default=None, alias="load")
    state: State = State()
    job: TrainingJob | None = None

    @model_validator(mode="after")
    def _has_the_parts_of_its_kind(self) -> WorkloadClass:
        """List what its kind needs and is not there, and what means nothing for its kind."""
        refuse(type(self).__name__, self._misplaced())
        return self

    def _misplaced(self) -> Iterator[tuple[Keys, str]]:
        if self.kind not in PARTS:
            return  # not built yet: refused by name
        for key, part in (("slo", self.requests_slo), ("load", self.requests_load), ("job", self.job)):
            if key in PARTS[self.kind] and part is None:
                yield (key,), f"{MISSING} for kind {self.kind}"
            elif key not in PARTS[self.kind] and part is not None:
                yield (key,), f"it means nothing for kind {self.kind}; leave it out"
        if wrong := self.steady_state.misplaced(training=self.kind == "training"):
            kind = "requests" if self.kind == "requests" else "a training job"
            yield ("steady_state",), f"{', '.join(wrong)} means nothing for {kind}; leave it out"
        yield from ((("budgets", name), sentence) for name, sentence in self.budgets.misplaced(self.kind))

    @property
    def training(self) -> TrainingJob:
        """Return the training job. Raises ConfigError: this class is none."""
        if self.job is None:
            raise ConfigError(f"this class of workload is of kind {self.kind}: it is no training job")
        return self.job

    @property
    def slo(self) -> Slo:
        """Return when a request is good. Raises ConfigError: this class has no requests."""
        return _of_requests(self.requests_slo)

    @property
    def load(self) -> Offer:
        """Return what is offered. Raises ConfigError: this class has no requests."""
        return _of_requests(self.requests_load)


def _of_requests(part: Part | None) -> Part:
    if part is None:
        raise ConfigError("this class of workload is a training job: it has no requests, hence neither slo nor load")
    return part
