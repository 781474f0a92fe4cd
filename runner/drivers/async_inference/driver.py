"""Asynchronous jobs as a workload driver."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from history.budgets import Budgets
from history.errors import ConfigError, NoData
from history.plan import Timers
from history.prompts import Prompt, read_prompts
from kube import proxy
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, read_timers
from runner.drivers.async_inference.client import JobsClient
from runner.drivers.async_inference.progress import JobsProgress
from runner.drivers.async_inference.workload import AsyncClass
from runner.drivers.driver import DrivenRun, Needs, Preparation, WorkloadFailed, driver
from target.target import Target
from target.yaml_source import PROJECT
from verdict.async_inference.plan import AsyncPlan
from verdict.statistics import arrivals_needed, found_after_s


@driver
class AsyncDriver:
    """Jobs that are submitted to a queue, and followed to their end."""

    kind: ClassVar[str] = "async"

    def __init__(self, platform: Platform, name: str) -> None:
        self._platform, self._name = platform, name
        self._workload = platform.target.workload(name, AsyncClass)

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:
        """Return what asking for the queue's depth needs: the hypothesis does it through the API server."""
        return tuple(proxy.permissions(target.role(target.workload(name, AsyncClass).role).namespace))

    @classmethod
    def of(cls, preparation: Preparation) -> AsyncDriver:
        """Prepare a run."""
        return cls(preparation.platform, preparation.name)

    @property
    def name(self) -> str:
        """The class of workload in the target file."""
        return self._name

    @property
    def _url(self) -> str:
        return self._platform.region.endpoints[self._workload.jobs.endpoint]

    def _prompts(self) -> tuple[Prompt, ...]:
        return read_prompts(PROJECT / self._workload.jobs.prompts)

    def needs(self) -> Needs:
        """Return how long it takes until as many jobs came as the SLO needs, and until it is known how one ended."""
        slo, rate = self._workload.slo, self._workload.jobs.rate_rps
        window_s = max(arrivals_needed(slo.ratio) / rate * 1.5, found_after_s(slo.ratio, rate))
        return Needs(window_s=window_s, known_s=slo.done_s, promised=slo.ratio)

    def check(self) -> list[str]:
        """Return what is wrong with the prompts, or that the API does not answer."""
        try:
            self._prompts()
            JobsClient(self._url).backlog()
        except (ConfigError, NoData) as error:
            return [str(error)]
        return []

    def remarks(self) -> list[str]:
        """Return that there is nothing to say."""
        return []

    def provide(self, stack: ExitStack) -> None:
        """Do nothing: the platform takes jobs already."""

    def timers(self) -> PlatformTimers:
        """Return the timers of the role's replicas."""
        return read_timers(self._platform, self._workload.role)

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> AsyncPlan:  # noqa: ARG002 - jobs are submitted until the run ends
        """Return SLO and jobs."""
        workload, region = self._workload, self._platform.region_name
        common = {"name": self._name, "role": workload.role, "region": region, "budgets": budgets}
        return AsyncPlan(**common, slo=workload.slo, jobs=workload.jobs, url=self._url, seed=seed)

    def start(self, run: DrivenRun) -> JobsProgress:
        """Begin to submit. Raises WorkloadFailed: nobody says how jobs ended so far."""
        plan = next(one for one in run.plan.workloads if one.name == self._name)
        assert isinstance(plan, AsyncPlan)  # noqa: S101 - it made this plan
        client = JobsClient(plan.url)
        try:
            place = client.last_place()
        except NoData as error:
            raise WorkloadFailed(str(error)) from error
        return JobsProgress(run.dir, plan, self._prompts(), client, place)
