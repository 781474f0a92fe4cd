"""What drives a run, requests of users or a training job, behind one protocol. The phases see no difference.

A new driver is one folder beside this module: a plan of its own kind (:class:`history.workloads.WorkloadPlan`), a driver, registered by
:func:`driver`, and its progress. No phase knows its name.
"""

from __future__ import annotations

import importlib
import pkgutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import runner.drivers
from history.budgets import Budgets
from history.errors import AftershockError
from history.plan import Plan, Timers
from history.workloads import WorkloadPlan
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers
from runner.drivers.progress import Progress
from runner.event_log import RunLog
from runner.experiment.experiment import Experiment
from runner.request import Request
from runner.stop import Stop
from target.target import Target


class WorkloadFailed(AftershockError):
    """What drives the run did not start, or ended before it was asked to."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a driver needs of the plan.

    ``window_s``: over how long its objective can be told at all; baseline and hold are at least so long. ``waits_s``: how long a user waits
    for one answer, none if nobody does. ``known_s``: after how long at the latest it is known how what was begun ended: warming up and the
    baseline wait so much longer. ``provides_targets``: there is nothing to aim at before :meth:`Driver.provide`. ``promised``: the share of
    good requests that the objective promises.
    """

    window_s: float = 0.0
    waits_s: float | None = None
    known_s: float = 0.0
    provides_targets: bool = False
    promised: float = 1.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """Of what a driver is made: where, for which class of workload, for which run."""

    platform: Platform
    name: str  # of the class in the target file
    experiment: Experiment
    request: Request
    stop: Stop


@dataclass(frozen=True, slots=True)
class DrivenRun:
    """What a driver is handed of the run under way: never the whole context."""

    dir: Path
    plan: Plan
    log: RunLog
    stop: Stop


class Driver(Protocol):
    """One kind of workload, prepared for one run; its methods are called in this order."""

    kind: ClassVar[str]

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:
        """Return what class ``name`` of ``target`` needs of the API server, without asking it."""

    @classmethod
    def of(cls, preparation: Preparation) -> Driver:
        """Prepare a run. Raises TargetRefused."""

    @property
    def name(self) -> str:
        """The class of workload in the target file."""

    def needs(self) -> Needs:
        """Return what it needs of the plan."""

    def check(self) -> list[str]:
        """Return everything that stands against driving and measuring, a sentence each; empty: nothing does. Raises TargetRefused."""

    def remarks(self) -> list[str]:
        """Return what a person should know of how it drives and what was not tried, a sentence each."""

    def provide(self, stack: ExitStack) -> None:
        """Bring about what faults choose their targets from; ``stack`` ends it. Not called by a dry run. Raises TargetRefused."""

    def timers(self) -> PlatformTimers:
        """Return the timers of what is driven. Raises TargetRefused."""

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> WorkloadPlan:
        """Return what the run's plan says of it."""

    def start(self, run: DrivenRun) -> Progress:
        """Start it, and return how it goes on. What raises (WorkloadFailed, a stop request) has ended what it began."""


DRIVERS: dict[str, type[Driver]] = {}
"""By kind of workload."""
Kind = TypeVar("Kind", bound=type[Driver])


def driver(made: Kind) -> Kind:
    """Register a class of drivers under its kind."""
    DRIVERS[made.kind] = made
    return made


def known_drivers() -> dict[str, type[Driver]]:
    """Return every kind of driver: those of the folders beside this module, and what else was registered."""
    for module in pkgutil.iter_modules(runner.drivers.__path__):
        if module.ispkg:
            importlib.import_module(f"{runner.drivers.__name__}.{module.name}.driver")
    return DRIVERS
