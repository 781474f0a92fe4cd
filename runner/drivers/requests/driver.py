"""Users' requests as a workload driver."""

from __future__ import annotations

from contextlib import ExitStack

from history.workloads import Training
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, read_timers
from runner.drivers.driver import DrivenRun
from runner.drivers.requests import load_pod
from runner.drivers.requests.load import LoadProcess
from runner.drivers.requests.progress import RequestProgress, arrivals_for
from target.target import Target
from target.workload import WorkloadClass


class RequestsDriver:
    """Users' requests, by the load generator, whose workers are processes beside the suite or pods of the platform."""

    provides = False

    def __init__(self, platform: Platform, workload: WorkloadClass) -> None:
        self._platform, self._workload = platform, workload

    def permissions(self) -> list[Permission]:
        """Return what load pods need; processes send requests to an endpoint, not to the API server."""
        return request_permissions(self._platform.target, self._workload)

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

    def start(self, context: DrivenRun) -> None:
        """Start the load process."""
        start_load(context)


def request_permissions(target: Target, workload: WorkloadClass) -> list[Permission]:
    """Return what a driver of requests needs of the API server: load pods, or nothing."""
    return load_pod.permissions(target.suite.namespace) if load_pod.wanted(workload) else []


def start_load(context: DrivenRun) -> None:
    """Start the load process and follow its record. Raises LoadFailed."""
    plan, run_dir = context.run.plan, context.run.run_dir
    load = LoadProcess(run_dir, plan.load, context.run.platform.target)
    context.load = load
    context.progress = RequestProgress(run_dir, plan.slo, load.wait_ready(), arrivals_for(plan))
