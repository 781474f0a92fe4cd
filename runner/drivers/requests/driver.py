"""Users' requests as a workload driver."""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import ClassVar

from history.budgets import Budgets
from history.errors import ConfigError
from history.plan import Timers
from history.workloads import Load, RequestsPlan
from kube.client import Platform
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, read_timers
from runner.drivers.driver import DrivenRun, Needs, Preparation, driver
from runner.drivers.requests import load_pod, services, trial
from runner.drivers.requests.load import LoadProcess
from runner.drivers.requests.progress import RequestProgress
from target.requests import RequestsClass
from target.role import Role
from target.target import Target
from verdict.statistics import arrivals_needed

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
        """Return what load pods need, and reading the role's Service; processes send requests to an endpoint, not to the API server."""
        workload = target.workload(name, RequestsClass)
        pods = load_pod.permissions(target.suite.namespace) if load_pod.wanted(workload) else []
        role = _balanced(target, workload)
        return (*pods, *(services.permissions(role.namespace) if role else []))

    @classmethod
    def of(cls, preparation: Preparation) -> RequestsDriver:
        """Prepare a run."""
        return cls(preparation.platform, preparation.name)

    @property
    def name(self) -> str:
        """The class of workload in the target file."""
        return self._name

    def needs(self) -> Needs:
        """Return how long it takes until as many arrivals came as the SLO needs, how long a user waits, and until an end is known."""
        slo, load = self._workload.slo, self._workload.load
        streams = any(mix.stream for mix in load.mix)
        known_s = max(slo.latency_ms / 1e3, load.timeout_s if streams else 0.0)
        window_s = span_s(arrivals_needed(slo.ratio), load.rate_rps)
        return Needs(window_s=window_s, waits_s=slo.latency_ms / 1e3, known_s=known_s, promised=slo.ratio)

    def check(self) -> list[str]:
        """Return what is wrong with the prompts, or what the endpoint says instead of answers to one real request of each kind.

        Refuse load pods that would not be admitted; what pods can reach is not for this machine to say. Raises TargetRefused.
        """
        return self._wrong_prompts() or self._unanswered()

    def _wrong_prompts(self) -> list[str]:
        try:
            self._workload.answer_rule()
        except ConfigError as error:
            return [str(error)]
        return []

    def _unanswered(self) -> list[str]:
        pods, load = load_pod.wanted(self._workload), self._load(horizon_s=1.0, seed=0)
        if pods:
            load_pod.check(self._platform)
        return trial.lacking(load) or ([] if pods else trial.refusals(load))

    def remarks(self) -> list[str]:
        """Return that pods send what was not tried here, and that a proxy of the environment is passed by."""
        load = self._load(horizon_s=1.0, seed=0)
        where = f"endpoint {load.endpoint} ({load.url})"
        if load_pod.wanted(self._workload):
            return [f"{where} was not tried: load pods send the requests, and the baseline shows what they are answered"]
        if variable := trial.proxy_of(load.url):
            return [f"{variable} names a proxy for {where}; the load sends directly, and so does preflight"]
        return []

    def provide(self, stack: ExitStack) -> None:
        """Do nothing: the platform serves already."""

    def timers(self) -> PlatformTimers:
        """Return the timers of the role's replicas."""
        return read_timers(self._platform, self._workload.role)

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> RequestsPlan:
        """Return SLO and load; arrivals are scheduled for as long as the run may last."""
        load = self._load(horizon(timers, self._workload.load.timeout_s), seed)
        workload, region = self._workload, self._platform.region_name
        rule = workload.answer_rule()
        plan = RequestsPlan(name=self._name, role=workload.role, region=region, budgets=budgets, slo=workload.slo, load=load, answers=rule)
        return plan.model_copy(update={"session_affinity": self._affinity(load.url)})

    def _affinity(self, url: str) -> str:
        """Return the session affinity of the role's Service, if requests go there and have a connection each."""
        role = _balanced(self._platform.target, self._workload)
        return services.session_affinity(self._platform, role.namespace, role.service or "", url) if role else ""

    def _load(self, horizon_s: float, seed: int) -> Load:
        offer = self._workload.load
        url = self._platform.region.endpoints[offer.endpoint]
        return Load(url=url, horizon_s=horizon_s, seed=seed, connections=self._workload.connections, **offer.model_dump())

    def start(self, run: DrivenRun) -> RequestProgress:
        """Start the load process and follow its record; it is ended if that does not come to its end. Raises WorkloadFailed."""
        plan = run.plan.requests
        load = LoadProcess(run.dir, plan.load, self._platform.target)
        with ExitStack() as stack:
            stack.callback(load.end)
            differ, needed = plan.answers.may_differ > 0, arrivals_needed(plan.slo.ratio)
            progress = RequestProgress(run.dir, plan.slo, load.wait_ready(), needed, load, may_differ=differ)
            stack.pop_all()
        return progress


def _balanced(target: Target, workload: RequestsClass) -> Role | None:
    """Return the role whose Service may balance the requests one by one: that of ``workload``, if each has its own connection."""
    role = target.roles.get(workload.role)
    return role if role and role.service and workload.connections.mode == "each_request" else None


def horizon(timers: Timers, timeout_s: float) -> float:
    """Return for how long arrivals are scheduled (s): every phase at its longest, the baseline twice, and some slack."""
    return 4 * (timers.baseline_s + timers.known_s) + timers.confirm_s + timers.deadline_s + timers.heal_s + ELSE_S + timeout_s


def span_s(arrivals: int, rate_rps: float) -> float:
    """Return in how many seconds a Poisson process of ``rate_rps`` brings ``arrivals`` (its mean plus three standard deviations)."""
    return (arrivals + 3 * math.sqrt(arrivals)) / rate_rps
