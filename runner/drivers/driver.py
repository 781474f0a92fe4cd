"""What drives a run: requests of users, offered by a load generator, or a training job of its own. The phases see no difference."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

from history.workloads import Training
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers
from runner.drivers.progress import Progress
from runner.drivers.requests.load import LoadLike
from runner.event_log import RunLog
from runner.stop import Stop
from safety.active_run import ActiveRun


class DrivenRun(Protocol):
    """What a driver sees of the run that it drives, and where it puts what it started."""

    load: LoadLike | None
    progress: Progress | None

    @property
    def run(self) -> ActiveRun:
        """Plan, run folder and platform."""

    @property
    def log(self) -> RunLog:
        """The run's events."""

    @property
    def stop(self) -> Stop:
        """Waiting that a stop request interrupts."""


class WorkloadDriver(Protocol):
    """One kind of driver, prepared for one run; its methods are called in this order."""

    def permissions(self) -> list[Permission]:
        """Return what it needs of the API server."""

    def check(self) -> None:
        """Refuse unless what is driven can be driven and measured. Raises TargetRefused."""

    def provide(self, stack: ExitStack) -> None:
        """Bring about what faults choose their targets from; ``stack`` ends it. Not called by a dry run. Raises TargetRefused."""

    @property
    def provides(self) -> bool:
        """Whether there are no targets before :meth:`provide`."""

    def timers(self) -> PlatformTimers:
        """Return the timers of what is driven. Raises TargetRefused."""

    def job(self) -> Training | None:
        """Return the training job for the plan, if it is one."""

    def start(self, context: DrivenRun) -> None:
        """Start it and what follows it: ``context.load`` and ``context.progress``. Raises LoadFailed."""
