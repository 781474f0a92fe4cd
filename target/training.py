"""A class of training as a target file writes it: the job that each run makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from history.workloads import State, TrainingJob
from target.job_kinds.kind import known_kinds
from target.mistakes import MISSING, Refusal
from target.workload import Positive, SteadyState, WorkloadClass

if TYPE_CHECKING:
    from target.target import Target


class TrainingSteadyState(SteadyState):
    """What must hold while all is well."""

    steps_per_s: float = Field(default=1, gt=0, le=1000)
    checkpoint_age: Positive = 30.0  # of the newest verified one


class TrainingClass(WorkloadClass):
    """A training job."""

    kind: Literal["training"] = "training"
    job: TrainingJob
    steady_state: TrainingSteadyState = TrainingSteadyState()
    state: State = State()

    def refusals(self, target: Target) -> Iterator[Refusal]:
        """Yield a store that is not there, and kinds of job and ways to compare that are not built."""
        yield from super().refusals(target)
        if not self.job.storage:
            yield ("job", "storage"), MISSING
        elif self.job.storage not in target.roles:
            yield ("job", "storage"), f"{self.job.storage!r} is not under roles"
        if self.state.mode == "tolerance" and self.state.losses is None:
            yield ("state", "losses"), f"{MISSING}: the share by which a step's loss may differ from the undisturbed run's, as 1e-3"
        elif self.state.mode != "tolerance" and self.state.losses is not None:
            yield ("state", "losses"), f"it means nothing for mode {self.state.mode}; leave it out, or write mode: tolerance"
        if self.job.kind not in known_kinds():
            kinds = ", ".join(known_kinds())
            yield ("job", "kind"), f"no job is made of a {self.job.kind} yet; built are {kinds}, each suspended, as a template"
