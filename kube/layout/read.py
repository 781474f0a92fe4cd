"""Reading how the platform is built: its roles with their pods, nodes, zones, volumes and disruption budgets. Nothing is changed.

What is merely useful asks for no permission: what may not be read is named in ``unread``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from history.layout import DisruptionLimit, Layout, RoleLayout
from kube.client import Platform, ready, unless_forbidden
from kube.containers import main_container
from kube.disruption.budgets import budgets_in
from kube.labels import selected
from kube.layout.of_pod import gpus_of, has_pre_stop, memory_is_limited, pins_of, probe_of
from kube.layout.volumes import pinned_by_volumes
from kube.objects import DisruptionBudget, Pod
from kube.platform_timers import load_s, node_monitor_s, owner_of, start_s, toleration_s
from kube.selection import grace_s
from target.requests import RequestsClass

SCHEDULER = "component=kube-scheduler"


@dataclass(slots=True)
class _Read:
    """What is read for all roles together."""

    platform: Platform
    replicas: Mapping[str, int]
    zone_of: Mapping[str, str]
    budgets: Mapping[str, list[DisruptionBudget] | None]
    unread: list[str] = field(default_factory=list)


def read_layout(platform: Platform, replicas: Mapping[str, int], zone_of: Mapping[str, str]) -> Layout:
    """Return how the platform is built. Raises ApiException.

    ``replicas``: how many each role should have; roles without are left out. ``zone_of``: the zone of each node that names one.
    """
    pods = {role: those for role, those in platform.pods_of_roles().items() if those and role in replicas}
    namespaces = sorted({platform.target.role(role).namespace for role in pods})
    read = _Read(platform, replicas, zone_of, {name: budgets_in(platform, name) for name in namespaces})
    roles = tuple(_role(read, role, those) for role, those in pods.items())
    return Layout(node_monitor_s=node_monitor_s(platform), schedulers=_schedulers(platform), roles=roles, unread=_unread(read))


def _role(read: _Read, name: str, pods: list[Pod]) -> RoleLayout:
    role, up = read.platform.target.role(name), [pod for pod in pods if ready(pod)]
    sample = (up or pods)[0]
    container, pinned = main_container(sample, role.container), pinned_by_volumes(read.platform, pods)
    read.unread += pinned.unread
    nodes = {pod.spec.node_name for pod in up if pod.spec.node_name}
    of_each_node = any(owner.kind == "DaemonSet" for owner in sample.metadata.owner_references or [])  # which binds each to its node
    return RoleLayout(
        role=name,
        where=owner_of(sample, role.controller),
        namespace=role.namespace,
        wanted=read.replicas[name],
        ready=len(up),
        nodes=len(nodes),
        zones=_zones_of(read.zone_of, nodes),
        serves=role.service is not None or name in _asked(read.platform),
        readiness=probe_of(container.readiness_probe),
        liveness=probe_of(container.liveness_probe),
        startup=probe_of(container.startup_probe),
        pre_stop=has_pre_stop(container),
        grace_s=grace_s(sample),
        memory_limit=memory_is_limited(sample),
        gpus=sum(gpus_of(pod, read.platform.region.gpu_resource) for pod in pods),
        toleration_s=min(map(toleration_s, pods)),
        start_s=start_s(pods, otherwise=0.0),
        load_s=load_s(pods, otherwise=0.0),
        pinned=tuple(dict.fromkeys([*(said for pod in pods for said in pins_of(pod) if not of_each_node), *pinned.by])),
        disruption=_limits(read.budgets[role.namespace], sample),
        budgets=_budgets(read.platform, name),
    )


def _asked(platform: Platform) -> frozenset[str]:
    """Return the roles that users' requests are for."""
    return frozenset(one.role for one in platform.target.workloads.values() if isinstance(one, RequestsClass))


def _budgets(platform: Platform, role: str) -> dict[str, float]:
    """Return the tightest budgets of the classes that ``role`` serves (s)."""
    bounds = [one.budgets for one in platform.target.workloads.values() if one.role == role]
    found = {"rto": [one.rto_s for one in bounds], "capacity_rto": [one.capacity_rto_s for one in bounds]}
    return {name: min(known) for name, values in found.items() if (known := [value for value in values if value is not None])}


def _zones_of(zone_of: Mapping[str, str], nodes: Collection[str]) -> tuple[str, ...] | None:
    """Return the zones of ``nodes``; None: not each of them says its own."""
    if not nodes or not all(node in zone_of for node in nodes):
        return None
    return tuple(sorted({zone_of[node] for node in nodes}))


def _limits(budgets: Iterable[DisruptionBudget] | None, pod: Pod) -> tuple[DisruptionLimit, ...] | None:
    if budgets is None:
        return None
    ours = [one for one in budgets if selected(one.spec.selector, pod)]
    return tuple(DisruptionLimit(name=one.metadata.name, healthy=one.status.desired_healthy, of=one.status.expected_pods) for one in ours)


def _schedulers(platform: Platform) -> int | None:
    """Return how many schedulers can be seen; None: none, as on a managed control plane."""
    return len(unless_forbidden(lambda: platform.pods_in("kube-system", SCHEDULER), list[Pod]())) or None


def _unread(read: _Read) -> tuple[str, ...]:
    budgets = [f"list poddisruptionbudgets.policy in {name}" for name, found in read.budgets.items() if found is None]
    return tuple(dict.fromkeys([*budgets, *read.unread]))
