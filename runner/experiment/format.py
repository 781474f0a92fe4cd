"""The experiment file as people write it: Chaos Toolkit's format plus ``extensions: [{name: aftershock, …}]``; nothing unknown.

Keys of Chaos Toolkit that a run of this suite would not honour are refused instead of being ignored, since the model lacks them:
controls, background, ref, a rollback strategy other than always.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from history.budgets import Bounds
from history.plan import Expect
from history.values import Seconds, Written
from target.allow import Allow
from target.stop_when import StopWhen


class PythonProvider(Written):
    """A Python function called by name."""

    type: Literal["python"]
    module: str = Field(min_length=1)
    func: str = Field(min_length=1)
    arguments: dict[str, object] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The function with its module."""
        return f"{self.module}.{self.func}"


class Pauses(Written):
    """Seconds to wait around an activity."""

    before: float = Field(default=0, ge=0)
    after: float = Field(default=0, ge=0)


class Probe(Written):
    """A probe of the hypothesis or of the evidence: its value must lie within its tolerance."""

    type: Literal["probe"]
    name: str = Field(min_length=1)
    provider: PythonProvider
    tolerance: bool | int | str | list[object] | dict[str, object]


def described(tolerance: object) -> str:
    """Return a tolerance as a person reads it."""
    if isinstance(tolerance, dict) and tolerance.get("type") == "range":
        tolerance = tolerance["range"]
    if isinstance(tolerance, list) and len(tolerance) == 2:
        return f"{tolerance[0]} to {tolerance[1]}"
    return str(tolerance)


class Action(Written):
    """An action of the method or of the rollbacks."""

    type: Literal["action"]
    name: str = Field(min_length=1)
    provider: PythonProvider
    pauses: Pauses = Pauses()


class Hypothesis(Written):
    """What users get while all is well."""

    title: str = Field(min_length=1)
    probes: tuple[Probe, ...] = Field(min_length=1)


class RollbackStrategy(Written):
    """When rollbacks run: always."""

    strategy: Literal["always"] = "always"


class Runtime(Written):
    """Chaos Toolkit's runtime settings."""

    rollbacks: RollbackStrategy = RollbackStrategy()


def _expect(value: object) -> object:
    return {"verdict": value} if isinstance(value, str) else value


def _deadline(value: object) -> object:
    return None if value == "auto" else value


class JobSettings(Written):
    """What an experiment sets in the training job that it follows. ``template``: another template than the class's, of the same kind."""

    template: str | None = None
    settings: dict[str, str] = Field(default_factory=dict)


class Aftershock(Written):
    """What Chaos Toolkit has no word for."""

    name: Literal["aftershock"]
    schema_version: Literal[1] = Field(default=1, alias="schema")
    workload: str
    beside: tuple[str, ...] = ()  # classes of workload that run at the same time; a budget holds for those of its kind
    budgets: Bounds
    evidence: tuple[Probe, ...] = ()
    deadline: Annotated[Seconds | None, BeforeValidator(_deadline)] = None  # None: auto
    hold: Seconds | None = None
    fault: Literal["fault", "none", "sham"] = "fault"
    expect: Annotated[Expect, BeforeValidator(_expect)] = Expect()
    allow: Allow = Allow()
    stop_when: tuple[StopWhen, ...] = ()  # beside the target's own
    training: JobSettings = JobSettings()
    needs: tuple[Literal["answers"], ...] = ()  # it is about the content of answers: means nothing where the right ones are unknown

    @property
    def workloads(self) -> tuple[str, ...]:
        """Return the classes of workload that drive the run; the experiment is about the first."""
        return (self.workload, *self.beside)


class Document(Written):
    """One file of ``experiments/``."""

    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    tags: tuple[str, ...] = ()
    contributions: dict[str, object] = Field(default_factory=dict)
    configuration: dict[str, object] = Field(default_factory=dict)
    hypothesis: Hypothesis | None = Field(default=None, alias="steady-state-hypothesis")  # none: what its class of workload says
    method: tuple[Action, ...]
    rollbacks: tuple[Action, ...] = ()
    runtime: Runtime = Runtime()
    extensions: tuple[dict[str, object], ...]
