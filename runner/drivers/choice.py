"""Which driver an experiment's class of workload asks for, and what that driver needs."""

from __future__ import annotations

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.permissions import Permission
from runner.drivers.driver import WorkloadDriver
from runner.drivers.requests.driver import RequestsDriver, request_permissions
from runner.drivers.training.driver import TrainingDriver, training_permissions
from runner.experiment.experiment import Experiment
from runner.request import Request
from runner.stop import Stop
from target.target import Target


def driver_permissions(target: Target, experiment: Experiment) -> list[Permission]:
    """Return what the driver of an experiment needs on ``target``, without asking the platform."""
    workload = target.workloads[experiment.settings.workload]
    return request_permissions(target, workload) if workload.job is None else training_permissions(target.role(workload.role).namespace)


def driver_of(platform: Platform, experiment: Experiment, request: Request, stop: Stop) -> WorkloadDriver:
    """Return the driver of a run, as the experiment's class of workload says."""
    workload = platform.target.workloads[experiment.settings.workload]
    if workload.job is None:
        return RequestsDriver(platform, workload)
    own = experiment.settings.training
    settings = {**workload.job.settings, **own.settings}
    written = workload.job.model_copy(update={"template": own.template or workload.job.template})
    with api_errors(f"prepare a training job of class {experiment.settings.workload}", TargetRefused):
        return TrainingDriver.of(platform, workload.role, written, settings=settings, run_id=request.run_id, stop=stop)
