"""Which driver an experiment's class of workload asks for, and what that driver needs."""

from __future__ import annotations

from history.errors import TargetRefused
from kube.client import Platform, told
from kube.permissions import Permission
from runner.drivers.driver import Drive
from runner.drivers.requests.driver import RequestsDrive, requests_need
from runner.drivers.training.driver import TrainingDrive
from runner.drivers.training.driver import needed as training_needs
from runner.experiment.experiment import Experiment
from runner.request import Request
from runner.stop import Stop
from target.target import Target


def needed(target: Target, experiment: Experiment) -> list[Permission]:
    """Return what the drive of an experiment needs on ``target``, without asking the platform."""
    workload = target.workloads[experiment.settings.workload]
    return requests_need(target, workload) if workload.training is None else training_needs(target.role(workload.role).namespace)


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
