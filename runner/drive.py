"""What drives a run: requests of users, offered by a load generator, or a training job of its own. The phases see no difference."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Protocol

from history.errors import TargetRefused
from history.plan import Training
from kube.clients import Platform, told
from kube.fault import Permission
from kube.target import Target, WorkloadClass
from runner import load_pod
from runner.baseline import start_load
from runner.context import Context
from runner.experiment import Experiment
from runner.request import Request
from runner.stop import Stop
from runner.timers import PlatformTimers, read_timers
from runner.training import TrainingDrive
from runner.training import needed as training_needs


class Drive(Protocol):
    """One kind of drive, prepared for one run, in the order of the methods."""

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

    def start(self, context: Context) -> None:
        """Start it and what follows it: ``context.load`` and ``context.felt``. Raises LoadFailed."""


class RequestsDrive:
    """Users' requests, by the load generator, whose workers are processes beside the suite or pods of the platform."""

    provides = False

    def __init__(self, platform: Platform, workload: WorkloadClass) -> None:
        self._platform, self._workload = platform, workload

    def permissions(self) -> list[Permission]:
        """Return what load pods need; processes send requests to an endpoint, not to the API server."""
        return requests_need(self._platform.target, self._workload)

    def check(self) -> None:
        """Refuse unless load pods would be admitted; of processes nothing is demanded: preflight looks at the endpoint."""
        if load_pod.wanted(self._workload):
            load_pod.check(self._platform)

    def provide(self, stack: ExitStack) -> None:
        """Do nothing: the platform serves already."""

    def timers(self) -> PlatformTimers:
        """Return the timers of the role's replicas."""
        return read_timers(self._platform, self._workload.role)

    def job(self) -> Training | None:
        """Return None."""
        return None

    def start(self, context: Context) -> None:
        """Start the load process."""
        start_load(context)


def needed(target: Target, experiment: Experiment) -> list[Permission]:
    """Return what the drive of an experiment needs on ``target``, without asking the platform."""
    workload = target.workloads[experiment.settings.workload]
    return requests_need(target, workload) if workload.training is None else training_needs(target.role(workload.role).namespace)


def requests_need(target: Target, workload: WorkloadClass) -> list[Permission]:
    """Return what a drive of requests needs of the API server: load pods, or nothing."""
    return load_pod.permissions(target.suite_namespace) if load_pod.wanted(workload) else []


def drive_of(platform: Platform, experiment: Experiment, request: Request, stop: Stop) -> Drive:
    """Return the drive of a run, as the experiment's class of workload says."""
    workload = platform.target.workloads[experiment.settings.workload]
    if workload.training is None:
        return RequestsDrive(platform, workload)
    own = experiment.settings.training
    settings = {**workload.training.settings, **own.settings}
    written = workload.training.model_copy(update={"template": own.template or workload.training.template})
    with told(f"prepare a training job of class {experiment.settings.workload}", TargetRefused):
        return TrainingDrive.of(platform, workload.role, written, settings=settings, run_id=request.run_id, stop=stop)
