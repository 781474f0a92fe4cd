"""Whether the platform is healthy before a run, and as it was before after it: one set of checks for both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.clients import Platform, told
from kube.objects import Node
from runner.cluster_watch import NodeState, node_state

Deployment = Any  # V1Deployment


@dataclass(frozen=True, slots=True)
class Before:
    """The platform before the fault: what healing must bring back. ``replicas`` are the desired ones of each role."""

    replicas: dict[str, int]
    nodes: dict[str, NodeState]


def look(platform: Platform) -> Before:
    """Return the platform's state now. Raises TargetRefused: it cannot be read."""
    with told(f"target {platform.target.name}: look at the platform", TargetRefused):
        replicas = {role: _desired(platform, role) for role in platform.target.roles}
        nodes = {node.metadata.name: node_state(node, platform.target.gpu_resource) for node in platform.nodes()}
    return Before(replicas, nodes)


def complaints(platform: Platform, before: Before) -> list[str]:
    """Return why the platform is not healthy now, as sentences: replicas missing, a rollout in flight, a node under a role not ready."""
    found: list[str] = []
    with told(f"target {platform.target.name}: look at the platform", TargetRefused):
        for role, want in before.replicas.items():
            found += _lacking(platform, role, want)
            found += _surplus(platform, role, want)
            found += _rollout(platform, role)
        hosts = {pod.spec.node_name for role in platform.target.roles for pod in platform.pods(role)}
    found += [
        f"node {name} hosts the platform and is not ready" for name, state in before.nodes.items() if name in hosts and not state.ready
    ]
    return found


def differences(platform: Platform, before: Before, targets: Iterable[ResolvedTarget]) -> list[str]:
    """Return what is not as before: roles without all their replicas, target nodes not ready, cordoned or without their accelerators.

    Raises:
        TargetRefused: the platform cannot be read.

    """
    found: list[str] = []
    with told(f"target {platform.target.name}: look at the platform", TargetRefused):
        for role, want in before.replicas.items():
            found += _lacking(platform, role, want)
        names = {target.node for target in targets if target.node}
        now = {node.metadata.name: node for node in platform.nodes()}
    for name in sorted(names & set(before.nodes)):
        found += _node_differs(name, before.nodes[name], now.get(name), platform.target.gpu_resource)
    return found


def _desired(platform: Platform, role: str) -> int:
    found = _deployment(platform, role)
    return len(platform.pods(role)) if found is None else int(found.spec.replicas or 0)


def _deployment(platform: Platform, role: str) -> Deployment:
    name = platform.target.role(role).deployment
    return None if name is None else platform.apps.read_namespaced_deployment(name, platform.target.role(role).namespace)


def _lacking(platform: Platform, role: str, want: int) -> list[str]:
    up = sum(platform.ready(pod) for pod in platform.pods(role))
    return [f"role {role} has {up} of {want} replicas ready"] if up < want else []


def _surplus(platform: Platform, role: str, want: int) -> list[str]:
    names = [pod.metadata.name for pod in platform.pods(role) if pod.status.phase in {"Running", "Pending"}]
    return [f"role {role} has {len(names)} pods for {want} replicas: something is being replaced"] if len(names) > want else []


def _rollout(platform: Platform, role: str) -> list[str]:
    found = _deployment(platform, role)
    if found is None:
        return []
    updated = found.status.updated_replicas or 0
    seen = found.status.observed_generation or 0
    if seen >= found.metadata.generation and updated >= (found.spec.replicas or 0):
        return []
    return [
        f"role {role}: a rollout of deployment {found.metadata.name} is in flight ({updated} of {found.spec.replicas} replicas updated)"
    ]


def _node_differs(name: str, was: NodeState, node: Node | None, gpu_resource: str) -> list[str]:
    if node is None:
        return [f"node {name} is gone"]
    now = node_state(node, gpu_resource)
    found = [f"node {name} is not ready"] if was.ready and not now.ready else []
    if was.schedulable and not now.schedulable:
        found.append(f"node {name} is cordoned")
    if now.gpus < was.gpus:
        found.append(f"node {name} has {now.gpus} of {was.gpus} {gpu_resource}")
    return found
