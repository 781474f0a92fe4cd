"""The platform's own timers, read from what is live: what decides how long detection, eviction and a new replica take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any, Protocol

from kubernetes.client import V1Container, V1Probe

from history.errors import TargetRefused
from history.plan import Slo
from kube.client import Platform, api_errors, unless_forbidden
from kube.objects import Pod
from target.target import Target, WorkloadClass, parse_duration
from verdict.statistics import arrivals_needed

NODE_MONITOR_S = 50.0  # Kubernetes' default since 1.32; read from the controller manager where it is visible
TOLERATION_S = 300.0  # added to every pod that names none
START_S, LOAD_S = 5.0, 25.0  # where no replica shows how long it took
STALL_S, STALL_SETTING = 2.0, "STALL_TIMEOUT_S"  # after which a server that watches its engine's progress turns its health red
UNREACHABLE = "node.kubernetes.io/unreachable"
FLAG = re.compile(r"--node-monitor-grace-period=(\S+)")
CHECK = re.compile(r"^\s*(?:default-server|server|server-template)\b.*\bcheck\b.*$", re.MULTILINE)
TIMEOUT_CHECK, TIMEOUT_CONNECT = (re.compile(rf"^\s*timeout\s+{what}\s+(\S+)", re.MULTILINE) for what in ("check", "connect"))
LEAST = re.compile(r"^\s*balance\s+leastconn\b", re.MULTILINE)
RETRY_ON = re.compile(r"^\s*retry-on\s+(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checks:
    """How a balancer in front of the role notices a replica that does not serve (s). ``retries``: it repeats what failed elsewhere."""

    interval_s: float
    again_s: float  # between checks once one failed
    fall: int
    timeout_s: float
    retries: bool = False
    least_open: bool = False  # it chooses the replica with the fewest open requests
    connect_s: float = float("inf")  # within which a connection must be made, where that is less than the time-out

    @property
    def refused_s(self) -> float:
        """Until a replica that refuses or answers wrongly is out, at worst."""
        return self.interval_s + (self.fall - 1) * self.again_s

    @property
    def refused_mean_s(self) -> float:
        """The same on average: a fault comes at any time between two checks."""
        return self.refused_s - self.interval_s / 2

    @property
    def silent_s(self) -> float:
        """Until a replica whose machine or network does not answer at all is out, at worst."""
        return self.refused_s + self.fall * min(self.timeout_s, self.connect_s)

    @property
    def silent_mean_s(self) -> float:
        """The same on average."""
        return self.silent_s - self.interval_s / 2


UNCHECKED = Checks(interval_s=0, again_s=0, fall=1, timeout_s=float("inf"))
"""Of a Service: what does not answer is asked until Kubernetes calls its node NotReady."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What users ask, of how many gateways in front of how many replicas."""

    rate_rps: float
    gateways: int
    replicas: int
    slo: Slo
    streamed: float  # share of requests
    hold_s: float


class Kind(Protocol):
    """One kind of request in a workload."""

    @property
    def weight(self) -> float:
        """How often it is asked, against the others."""

    @property
    def stream(self) -> bool:
        """Whether its answer is streamed."""


def demand_of(rate_rps: float, mix: Sequence[Kind], slo: Slo, gateways: int, replicas: int) -> Demand:
    """Return what ``mix`` at ``rate_rps`` asks of ``replicas`` behind ``gateways``; held as long as the SLO's ratio needs arrivals."""
    streamed = sum(one.weight for one in mix if one.stream) / sum(one.weight for one in mix)
    return Demand(rate_rps, gateways, replicas, slo, streamed, arrivals_needed(slo.ratio) / rate_rps)


@dataclass(frozen=True, slots=True)
class PlatformTimers:
    """The timers that matter to one role (s)."""

    node_monitor_s: float
    toleration_s: float
    readiness: Checks | None
    liveness: Checks | None
    balancer: Checks | None
    start_s: float  # scheduled -> container runs, as the running replicas took
    load_s: float  # container runs -> ready, likewise
    restarts: bool = True  # a container that ends is started again in its pod
    stall_s: float = STALL_S  # an engine without progress for so long turns its server's health red
    entry: Checks | None = None  # of the balancer in front of the cluster, which no API of the cluster tells
    demand: Demand | None = None  # what users ask of the role, if requests drive it

    @property
    def ready_s(self) -> float:
        """From being scheduled to being ready."""
        return self.start_s + self.load_s


def read_timers(platform: Platform, role: str) -> PlatformTimers:
    """Read the timers of ``role`` from its pods, the gateway's configuration and the controller manager. Raises TargetRefused."""
    with api_errors(f"target {platform.target.name}: read the timers of role {role}", TargetRefused):
        pods = platform.pods(role)
        if not pods:
            raise TargetRefused(f"role {role}: it has no pod, so its timers cannot be read; deploy the platform")
        container = _container(pods[0], platform.target.role(role).container)
        return PlatformTimers(
            node_monitor_s=_node_monitor_s(platform),
            toleration_s=toleration_s(pods[0]),
            readiness=probe_checks(container.readiness_probe),
            liveness=probe_checks(container.liveness_probe),
            balancer=_balancer(platform),
            start_s=start_s(pods),
            load_s=load_s(pods),
            restarts=pods[0].spec.restart_policy != "Never",
            stall_s=stall_s(container),
            entry=entry_checks(platform.target, role),
            demand=_demand(platform, role, len(pods)),
        )


def template_timers(platform: Platform, pod: dict[str, Any]) -> PlatformTimers:
    """Return the timers of pods that do not run yet, from the plain spec of their template. Raises TargetRefused."""
    found = [one for one in pod.get("tolerations", []) if one.get("key") == UNREACHABLE and one.get("effect") == "NoExecute"]
    stays_s = TOLERATION_S if not found else found[0].get("tolerationSeconds", float("inf"))
    with api_errors(f"target {platform.target.name}: read the controller manager's timers", TargetRefused):
        return PlatformTimers(
            node_monitor_s=_node_monitor_s(platform),
            toleration_s=float(stays_s),
            readiness=None,
            liveness=None,
            balancer=None,
            start_s=START_S,
            load_s=0.0,
        )


def stall_s(container: V1Container) -> float:
    """Return after how long without progress of its engine a server's health turns red: its own setting, where it has one (s)."""
    found = [one.value for one in container.env or [] if one.name == STALL_SETTING and one.value]
    return float(found[0]) if found else STALL_S


def _busiest(target: Target, role: str) -> WorkloadClass | None:
    """Return the class of workload that asks most of ``role``; None if no request does."""
    asking = [one for one in target.workloads.values() if one.role == role and one.written_load is not None]
    return max(asking, key=lambda one: one.load.rate_rps, default=None)


def entry_checks(target: Target, role: str) -> Checks | None:
    """Return the checks of what sends users of ``role`` to a gateway: the balancer that the target file says, or a Service, without any."""
    asking = _busiest(target, role)
    if asking is not None and asking.load.workers_as == "pods":
        return UNCHECKED
    one = target.balancer
    return None if one is None else Checks(one.interval, one.interval, one.fall, one.timeout)


def _demand(platform: Platform, role: str, replicas: int) -> Demand | None:
    """Return what users ask of ``role``; None if no request does, or no gateway of the platform's own stands in front."""
    asking = _busiest(platform.target, role)
    if asking is None or "gateway" not in platform.target.roles:
        return None
    gateways = len(platform.pods("gateway"))
    return demand_of(asking.load.rate_rps, asking.load.mix, asking.slo.slo(), gateways, replicas) if gateways else None


def toleration_s(pod: Pod) -> float:
    """Return how long a pod stays bound to a node that is unreachable (s)."""
    found = [one.toleration_seconds for one in pod.spec.tolerations or [] if one.key == UNREACHABLE and one.effect == "NoExecute"]
    return TOLERATION_S if not found else float("inf") if found[0] is None else float(found[0])


def probe_checks(probe: V1Probe | None) -> Checks | None:
    """Return a pod's probe as checks; None if there is none."""
    if probe is None:
        return None
    period_s = float(probe.period_seconds or 10)
    return Checks(period_s, period_s, int(probe.failure_threshold or 3), float(probe.timeout_seconds or 1))


def haproxy_checks(config: str) -> Checks | None:
    """Return the active checks of an HAProxy configuration; None if it has none.

    Source: HAProxy's manual: ``inter`` (default 2 s), ``fastinter`` (default inter), ``fall`` (default 3), ``timeout check``
    (once connected; a connection must be made within the lesser of ``timeout connect`` and ``inter``).
    """
    line = CHECK.search(config)
    if line is None:
        return None
    words = line.group().split()
    named = dict(pairwise(words))
    interval_s = _duration(named.get("inter", "2s"))
    timeout, connect = TIMEOUT_CHECK.search(config), TIMEOUT_CONNECT.search(config)
    return Checks(
        interval_s=interval_s,
        again_s=_duration(named["fastinter"]) if "fastinter" in named else interval_s,
        fall=int(named.get("fall", 3)),
        timeout_s=_duration(timeout.group(1)) if timeout else interval_s,
        retries=RETRY_ON.search(config) is not None,
        least_open=LEAST.search(config) is not None,
        connect_s=min(interval_s, _duration(connect.group(1)) if connect else interval_s),
    )


def start_s(pods: Iterable[Pod]) -> float:
    """Return how long the replicas took from their node to a running container (s, median; Kubernetes keeps whole seconds).

    A pod whose container was restarted says nothing: its times are those of the last start.
    """
    first = [pod for pod in pods if not any(one.restart_count for one in pod.status.container_statuses or [])]
    taken = [_seconds(one) for one in _spans(first, scheduled_at, running_at)]
    return float(median(taken)) if taken else START_S


def load_s(pods: Iterable[Pod]) -> float:
    """Return how long the replicas' containers took from running to ready (s, median; Kubernetes keeps whole seconds).

    Those that loaded while no other did go before: it is a single replica's load that a recovery waits for. More than twice the quickest
    load is a later return to readiness.
    """
    spans = _spans(pods, running_at, ready_at)
    alone = [one for one in spans if not any(one is not other and _overlap(one, other) for other in spans)]
    longest_s = 2 * min(map(_seconds, spans), default=0.0)
    loads = [_seconds(one) for one in alone if _seconds(one) <= longest_s] or [_seconds(one) for one in spans]
    return float(median(loads)) if loads else LOAD_S


Moment = Callable[[Pod], datetime | None]
Span = tuple[datetime, datetime]


def _spans(pods: Iterable[Pod], begin: Moment, end: Moment) -> list[Span]:
    """Return from when to when each pod took, for those that show both."""
    found = [(begin(pod), end(pod)) for pod in pods]
    return [(began, ended) for began, ended in found if began is not None and ended is not None and began <= ended]


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _seconds(span: Span) -> float:
    return (span[1] - span[0]).total_seconds()


def scheduled_at(pod: Pod) -> datetime | None:
    """Return when a pod was bound to its node."""
    return _condition_at(pod, "PodScheduled")


def running_at(pod: Pod) -> datetime | None:
    """Return when the last of a pod's containers began to run."""
    running = [one.state.running for one in pod.status.container_statuses or [] if one.state]
    began = [state.started_at for state in running if state and state.started_at]
    return max(began) if began and len(began) == len(running) else None


def ready_at(pod: Pod) -> datetime | None:
    """Return when a pod became ready."""
    return _condition_at(pod, "Ready")


def _condition_at(pod: Pod, kind: str) -> datetime | None:
    return next((one.last_transition_time for one in pod.status.conditions or [] if one.type == kind and one.status == "True"), None)


def _container(pod: Pod, name: str | None) -> V1Container:
    return next((one for one in pod.spec.containers if one.name == name), pod.spec.containers[0])


def _node_monitor_s(platform: Platform) -> float:
    """Read the controller manager's flag where its pod is visible and may be seen: a managed control plane shows neither."""
    selector = "component=kube-controller-manager"
    found = unless_forbidden(lambda: platform.pods_in("kube-system", selector), list[Pod]())
    flags = [FLAG.search(" ".join([*(one.command or []), *(one.args or [])])) for pod in found for one in pod.spec.containers]
    given = [match.group(1) for match in flags if match]
    return _duration(given[0]) if given else NODE_MONITOR_S


def _balancer(platform: Platform) -> Checks | None:
    """Return the checks of the gateway's HAProxy configuration, if the target has such a gateway and its ConfigMap may be read."""
    if "gateway" not in platform.target.roles:
        return None
    pods = platform.pods("gateway")
    names = {volume.config_map.name or "" for pod in pods[:1] for volume in pod.spec.volumes or [] if volume.config_map}
    namespace = platform.target.role("gateway").namespace
    texts = [text for name in sorted(names) for text in _config_map(platform, name, namespace).values()]
    return next((checks for checks in map(haproxy_checks, texts) if checks), None)


def _config_map(platform: Platform, name: str, namespace: str) -> dict[str, str]:
    return unless_forbidden(lambda: platform.core.read_namespaced_config_map(name, namespace).data or {}, {})


def _duration(text: str) -> float:
    """Return seconds of an HAProxy or Go duration; HAProxy's bare numbers are milliseconds."""
    return float(text) / 1e3 if text.isdecimal() else parse_duration(text)
