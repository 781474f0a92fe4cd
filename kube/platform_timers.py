"""The platform's own timers, read from what is live: what decides how long detection, eviction and a new replica take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from kubernetes.client import V1Container, V1Probe

from history.errors import TargetRefused
from history.values import parse_duration
from kube.client import Platform, api_errors, unless_forbidden
from kube.containers import main_container
from kube.controllers.owners import maker_of
from kube.lists.nodes import nodes_named
from kube.objects import Node, Pod
from target.role import Controller

NODE_MONITOR_S = 50.0  # Kubernetes' default since 1.32; read from the controller manager where it is visible
TOLERATION_S = 300.0  # given to every pod that names none, when it is made
START_S, LOAD_S = 5.0, 25.0  # where no replica shows how long it took
UNREACHABLE = "node.kubernetes.io/unreachable"
FLAG = re.compile(r"--node-monitor-grace-period=(\S+)")


@dataclass(frozen=True, slots=True)
class PlatformTimers:
    """The timers that matter to one role (s)."""

    node_monitor_s: float
    toleration_s: float
    start_s: float  # scheduled -> container runs, as the running replicas took (median)
    load_s: float  # container runs -> ready, likewise
    restarts: bool = True  # a container that ends is started again in its pod
    liveness_s: float = float("inf")  # a hung container is not restarted sooner
    first_check_s: float = 0.0  # a container that started is not asked sooner whether it is ready
    node_monitor_known: bool = False  # it was read from the controller manager, not assumed
    owner: str = "the pods"  # whose settings these are: Deployment x
    cloud: str = ""  # whose Nodes the pods run on, by their providerID: a cloud may delete a lost one

    @property
    def ready_s(self) -> float:
        """From being scheduled to being ready."""
        return self.start_s + self.load_s


def read_timers(platform: Platform, role: str) -> PlatformTimers:
    """Read the timers of ``role`` from its pods and the controller manager. Raises TargetRefused."""
    with api_errors(f"target {platform.target.name}: read the timers of role {role}", TargetRefused):
        pods = platform.pods(role)
        if not pods:
            raise TargetRefused(f"role {role}: it has no pod, so its timers cannot be read; deploy the platform")
        container = main_container(pods[0], platform.target.role(role).container)
        given_s = _node_monitor_s(platform)
        return PlatformTimers(
            node_monitor_s=NODE_MONITOR_S if given_s is None else given_s,
            toleration_s=min(map(toleration_s, pods)),
            start_s=start_s(pods),
            load_s=load_s(pods),
            restarts=pods[0].spec.restart_policy != "Never",
            liveness_s=liveness_s(container.liveness_probe),
            first_check_s=first_check_s(container),
            node_monitor_known=given_s is not None,
            owner=owner_of(pods[0], platform.target.role(role).controller),
            cloud=cloud_of(_hosts(platform, pods)),
        )


def template_timers(platform: Platform, pod: dict[str, Any]) -> PlatformTimers:
    """Return the timers of pods that do not run yet, from the plain spec of their template. Raises TargetRefused."""
    found = [one for one in pod.get("tolerations", []) if one.get("key") == UNREACHABLE and one.get("effect") == "NoExecute"]
    stays_s = TOLERATION_S if not found else found[0].get("tolerationSeconds", float("inf"))
    with api_errors(f"target {platform.target.name}: read the controller manager's timers", TargetRefused):
        given_s = _node_monitor_s(platform)
        return PlatformTimers(
            node_monitor_s=NODE_MONITOR_S if given_s is None else given_s,
            toleration_s=float(stays_s),
            start_s=START_S,
            load_s=0.0,
            restarts=pod.get("restartPolicy") != "Never",
            node_monitor_known=given_s is not None,
        )


def toleration_s(pod: Pod) -> float:
    """Return how long a live pod stays bound to a node that is unreachable (s): by its shortest toleration, as Kubernetes does.

    A pod without one leaves at once: Kubernetes gives each pod one of 300 s when it is made, unless that is switched off.
    """
    found = [
        one.toleration_seconds for one in pod.spec.tolerations or [] if one.key in {UNREACHABLE, None} and one.effect in {"NoExecute", None}
    ]
    return min((float("inf") if one is None else float(one) for one in found), default=0.0)


def liveness_s(probe: V1Probe | None) -> float:
    """Return the least time from a hang to the container's restart (s); infinite without a liveness probe.

    The first check that fails may have been asked before the hang, by as long as a check may take.
    """
    if probe is None:
        return float("inf")
    checks, period_s, may_take_s = probe.failure_threshold or 3, probe.period_seconds or 10, probe.timeout_seconds or 1
    return max(0.0, float((checks - 1) * period_s - may_take_s))


def owner_of(pod: Pod, controller: Controller | None) -> str:
    """Return who has a pod's settings, as ``Deployment x``: the controller of the target file, else the pod's controller."""
    if controller is not None:
        return f"{controller.kind} {controller.name}"
    return str(maker_of(pod) or f"pod {pod.metadata.name}")


def cloud_of(nodes: Iterable[Node]) -> str:
    """Return who provides the nodes, as their providerID says it (``aws``); empty if none has one."""
    return next((node.spec.provider_id.split(":")[0] for node in nodes if node.spec.provider_id), "")


def _hosts(platform: Platform, pods: Iterable[Pod]) -> Iterator[Node]:
    """Yield the nodes of ``pods`` that are there, each read when it is asked for: the first one nearly always knows its cloud."""
    for name in sorted({pod.spec.node_name for pod in pods if pod.spec.node_name}):
        yield from nodes_named(platform, [name])


def first_check_s(container: V1Container) -> float:
    """Return how long after its start a container is first asked whether it is ready, at least (s): its probes' initial delays."""
    probes = (container.startup_probe, container.readiness_probe)
    return max(float(probe.initial_delay_seconds or 0) if probe else 0.0 for probe in probes)


def start_s(pods: Iterable[Pod], otherwise: float = START_S) -> float:
    """Return how long the replicas took from their node to a running container (s, median; Kubernetes keeps whole seconds).

    ``otherwise``: what is returned where none shows it.

    A pod whose container was restarted says nothing: its times are those of the last start.
    """
    first = [pod for pod in pods if not any(one.restart_count for one in pod.status.container_statuses or [])]
    taken = [_seconds(one) for one in _spans(first, scheduled_at, running_at)]
    return float(median(taken)) if taken else otherwise


def load_s(pods: Iterable[Pod], otherwise: float = LOAD_S) -> float:
    """Return how long the replicas' containers took from running to ready (s, median; Kubernetes keeps whole seconds).

    ``otherwise``: what is returned where none shows it.

    Those that loaded while no other did go before: it is a single replica's load that a recovery waits for. More than twice the quickest
    load is a later return to readiness.
    """
    spans = _spans(pods, running_at, ready_at)
    alone = [one for one in spans if not any(one is not other and _overlap(one, other) for other in spans)]
    longest_s = 2 * min(map(_seconds, spans), default=0.0)
    loads = [_seconds(one) for one in alone if _seconds(one) <= longest_s] or [_seconds(one) for one in spans]
    return float(median(loads)) if loads else otherwise


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
    running = [status.state.running for status in pod.status.container_statuses or [] if status.state]
    began = [state.started_at for state in running if state and state.started_at]
    return max(began) if began and len(began) == len(running) else None


def ready_at(pod: Pod) -> datetime | None:
    """Return when a pod became ready."""
    return _condition_at(pod, "Ready")


def _condition_at(pod: Pod, kind: str) -> datetime | None:
    return next((one.last_transition_time for one in pod.status.conditions or [] if one.type == kind and one.status == "True"), None)


def node_monitor_s(platform: Platform) -> float:
    """Return after how long a silent node is called not ready (s): the controller manager's flag, or its default. Raises ApiException."""
    given_s = _node_monitor_s(platform)
    return NODE_MONITOR_S if given_s is None else given_s


def _node_monitor_s(platform: Platform) -> float | None:
    """Read the controller manager's flag where its pod is visible and may be seen: a managed control plane shows neither."""
    selector = "component=kube-controller-manager"
    found = unless_forbidden(lambda: platform.pods_in("kube-system", selector), list[Pod]())
    flags = [FLAG.search(" ".join([*(one.command or []), *(one.args or [])])) for pod in found for one in pod.spec.containers]
    return min((parse_duration(match.group(1)) for match in flags if match), default=None)
