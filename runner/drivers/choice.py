"""Which drivers an experiment's classes of workload ask for, and target files in which every kind of them can stand."""

from __future__ import annotations

from pathlib import Path

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.permissions import Permission
from runner.drivers.driver import Driver, Preparation, known_drivers
from runner.experiment.experiment import Experiment
from runner.request import Request
from runner.stop import Stop
from target.target import Target, load_target


def read_target(path: Path) -> Target:
    """Read a target file, whose classes of workload may be of every kind that has a driver. Raises ConfigError."""
    known_drivers()
    return load_target(path)


def driver_permissions(target: Target, experiment: Experiment) -> list[Permission]:
    """Return what the drivers of an experiment need on ``target``, without asking the platform."""
    kinds = known_drivers()
    needed = [kinds[target.workloads[name].kind].permissions(target, name) for name in experiment.settings.workloads]
    return [permission for asked in needed for permission in asked]


def drivers_of(platform: Platform, experiment: Experiment, request: Request, stop: Stop) -> list[Driver]:
    """Return the drivers of a run, one for each class of workload that the experiment names. Raises TargetRefused."""
    kinds, found = known_drivers(), []
    for name in experiment.settings.workloads:
        with api_errors(f"prepare class {name}", TargetRefused):
            found.append(kinds[platform.target.workloads[name].kind].of(Preparation(platform, name, experiment, request, stop)))
    return found
