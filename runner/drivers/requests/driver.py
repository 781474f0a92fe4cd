"""Users' requests as a workload driver."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import ClassVar

import requests

from history.budgets import Budgets
from history.errors import ConfigError
from history.plan import Timers
from history.workloads import Load, RequestsPlan
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, read_timers
from runner.drivers.driver import DrivenRun, Needs, Preparation, driver
from runner.drivers.requests import load_pod
from runner.drivers.requests.load import LoadProcess
from runner.drivers.requests.progress import RequestProgress, arrivals_for
from target.requests import RequestsClass
from target.target import Target
from verdict.statistics import arrivals_needed

ENDPOINT_S = 5.0
ELSE_S = 240.0  # warming up, a drain, the diagnostics


@driver
class RequestsDriver:
    """Users' requests, by the load generator, whose workers are processes beside the suite or pods of the platform."""

    kind: ClassVar[str] = "requests"

    def __init__(self, platform: Platform, name: str) -> None:
        self._platform, self._name = platform, name
        self._workload = platform.target.workload(name, RequestsClass)

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:
        """Return what load pods need; processes send requests to an endpoint, not to the API server."""
        pods = load_pod.wanted(target.workloads[name])
        return tuple(load_pod.permissions(target.suite.namespace)) if pods else ()

    @classmethod
    def of(cls, preparation: Preparation) -> RequestsDriver:
        """Prepare a run."""
        return cls(preparation.platform, preparation.name)

    @property
    def name(self) -> str:
        """The class of workload in the target file."""
        return self._name

    def needs(self) -> Needs:
        """Return how long it takes until as many arrivals came as the SLO needs, and how long a user waits."""
        slo, load = self._workload.slo, self._workload.load
        return Needs(window_s=span_s(arrivals_needed(slo.ratio), load.rate_rps), waits_s=slo.latency_ms / 1e3)

    def check(self) -> list[str]:
        """Return what is wrong with the prompts, and that the endpoint does not answer; refuse load pods that would not be admitted.

        What pods can reach is not for this machine to say. Raises TargetRefused.
        """
        return [*self._wrong_prompts(), *self._unreachable()]

    def _wrong_prompts(self) -> list[str]:
        try:
            self._workload.answer_rule()
        except ConfigError as error:
            return [str(error)]
        return []

    def _unreachable(self) -> list[str]:
        if load_pod.wanted(self._workload):
            load_pod.check(self._platform)
            return []
        load = self._workload.load
        url = self._platform.region.endpoints[load.endpoint]
        try:
            requests.get(url, timeout=ENDPOINT_S, verify=load.ca_file or True, allow_redirects=False)
        except requests.RequestException as error:
            return [f"endpoint {load.endpoint} ({url}) does not answer ({type(error).__name__}); see the target's endpoints"]
        return []

    def provide(self, stack: ExitStack) -> None:
        """Do nothing: the platform serves already."""

    def timers(self) -> PlatformTimers:
        """Return the timers of the role's replicas."""
        return read_timers(self._platform, self._workload.role)

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> RequestsPlan:
        """Return SLO and load; arrivals are scheduled for as long as the run may last."""
        offer = self._workload.load
        url = self._platform.region.endpoints[offer.endpoint]
        horizon_s = horizon(timers, offer.timeout_s)
        load = Load(url=url, horizon_s=horizon_s, seed=seed, **offer.model_dump())
        workload, region = self._workload, self._platform.region_name
        return RequestsPlan(
            name=self._name, role=workload.role, region=region, budgets=budgets, slo=workload.slo, load=load, answers=workload.answer_rule()
        )

    def start(self, run: DrivenRun) -> RequestProgress:
        """Start the load process and follow its record; it is ended if that does not come to its end. Raises WorkloadFailed."""
        plan = run.plan.requests
        load = LoadProcess(run.dir, plan.load, self._platform.target)
        with ExitStack() as stack:
            stack.callback(load.end)
            differ = plan.answers.may_differ > 0
            progress = RequestProgress(run.dir, plan.slo, load.wait_ready(), arrivals_for(plan), load, may_differ=differ)
            stack.pop_all()
        return progress


def horizon(timers: Timers, timeout_s: float) -> float:
    """Return for how long arrivals are scheduled (s): every phase at its longest, the baseline twice, and some slack."""
    return 4 * timers.baseline_s + timers.confirm_s + timers.deadline_s + timers.heal_s + ELSE_S + timeout_s


def span_s(arrivals: int, rate_rps: float) -> float:
    """Return in how many seconds a Poisson process of ``rate_rps`` brings ``arrivals`` (its mean plus three standard deviations)."""
    return (arrivals + 3 * math.sqrt(arrivals)) / rate_rps
