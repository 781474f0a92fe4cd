"""Whether the platform is healthy before a run, and as it was before after it: one set of checks for both.

What the API server says may be old: a node without power is Ready there for 50 s more, and so are its pods. So a machine that was without
power must have spoken since (:mod:`safety.undo_confirmed`), and every ready replica must itself answer what its readiness probe asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import control_plane
from kube.client import PARALLEL, Platform, api_errors, ready
from kube.controllers.kinds import Controller
from kube.controllers.resized import who_resized
from kube.controllers.wanted import controllers_of, wanted_of
from kube.health.not_ready import why_not_ready
from kube.health.serving import Asking, answers, askings_of
from kube.lists.nodes import nodes_named
from kube.node_state import NodeState, node_state
from kube.objects import Node, Pod
from kube.selection import grace_s
from runner.preflight.surplus import surplus
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import Undo


@dataclass(frozen=True, slots=True)
class Before:
    """The platform before the fault: what healing must bring back.

    ``replicas`` are the desired ones of each role; ``nodes`` those that host the platform or are to be hit; ``grace_s`` is how long a pod
    of theirs may take to leave, at most. ``at``: when that was, on the API server's clock; None: nobody asks who changed it since.
    """

    replicas: dict[str, int]
    nodes: dict[str, NodeState]
    grace_s: float = 0.0
    at: datetime | None = None

    @property
    def zone_of(self) -> dict[str, str]:
        """The zone of each node that names one."""
        return {name: state.zone for name, state in self.nodes.items() if state.zone}


class RoleNow(NamedTuple):
    """A role as the API server has it: its pods, who makes them, and how many they want (None: nobody says)."""

    name: str
    pods: list[Pod]
    controllers: list[Controller]
    wanted: int | None


def look(platform: Platform) -> Before:
    """Return the platform's state now. Raises TargetRefused: it cannot be read."""
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        at, roles = platform.server_time(), roles_now(platform)
        nodes = _states(platform, {pod.spec.node_name for role in roles for pod in role.pods if pod.spec.node_name})
    replicas = {role.name: len(role.pods) if role.wanted is None else role.wanted for role in roles}
    return Before(replicas, nodes, max((grace_s(pod) for role in roles for pod in role.pods), default=0.0), at)


def with_targets(platform: Platform, before: Before, targets: Iterable[ResolvedTarget]) -> Before:
    """Return ``before`` with the state of every node that is to be hit, too. Raises TargetRefused: one cannot be read."""
    names = {target.node for target in targets if target.kind != "Pod" and target.node} - before.nodes.keys()
    with api_errors("read the nodes that are to be hit", TargetRefused):
        return replace(before, nodes=before.nodes | _states(platform, names))


def _states(platform: Platform, names: Iterable[str]) -> dict[str, NodeState]:
    region = platform.region
    return {node.metadata.name: node_state(node, region.gpu_resource, region.zone_label) for node in nodes_named(platform, names)}


def roles_now(platform: Platform) -> list[RoleNow]:
    """Return the lasting roles of the target, as they are now. Raises ApiException."""
    pods = platform.pods_of_roles()

    def now(name: str) -> RoleNow:
        role, there = platform.target.role(name), pods[name]
        found = controllers_of(platform, role, there)
        return RoleNow(name, there, found, wanted_of(platform, role, found, there) if role.replicas is None else role.replicas)

    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(now, [name for name, role in platform.target.roles.items() if not role.of_run]))


def complaints(platform: Platform, before: Before) -> list[str]:
    """Return why the platform is not healthy now, as sentences: replicas missing, a rollout in flight, a node under a role not ready."""
    wrong: list[str] = []
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        roles = roles_now(platform)
        for role in roles:
            want = before.replicas[role.name] if role.wanted is None else role.wanted
            spec, now = platform.target.role(role.name), platform.server_time()
            wrong += [*_lacking(role.name, role.pods, want), *surplus(role.name, spec, role.pods, want, now), *_rollouts(role)]
        pods = {role.name: role.pods for role in roles}
        wrong += _silent(platform, pods)
        hosts = {pod.spec.node_name for those in pods.values() for pod in those}
    wrong += [
        f"node {name} hosts the platform and is not ready" for name, state in before.nodes.items() if name in hosts and not state.ready
    ]
    return wrong


def resizings(platform: Platform, before: Before) -> list[str]:
    """Return which roles' controllers want another number of replicas now than before, and who changed that, as sentences.

    Raises TargetRefused: the platform cannot be read.
    """
    said = []
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        for role in roles_now(platform):
            was = before.replicas.get(role.name)
            if was is None or role.wanted is None or role.wanted == was:
                continue
            by = who_resized(platform, platform.target.role(role.name).namespace, role.controllers, before.at) if before.at else ""
            whose = ", ".join(str(one.reference) for one in role.controllers)
            said.append(f"role {role.name}: {whose} was scaled from {was} to {role.wanted} replicas meanwhile {by}".rstrip())
    return said


def differences(platform: Platform, before: Before, targets: Iterable[ResolvedTarget], entries: Sequence[Undo]) -> list[str]:
    """Return what is not as before: roles without all their replicas, target nodes not back, cordoned or without their accelerators.

    Every node of the platform is a target where the control plane was: none could renew its lease.

    A role must have as many replicas as its controllers want *now*: an autoscaler, or a person, may have changed that (:func:`resizings`
    says who). A pod that is still leaving counts: the next run's preflight would refuse it as a surplus.

    Args:
        platform: the platform.
        before: its state before the fault.
        targets: what was hit.
        entries: the run's journal.

    Raises:
        TargetRefused: the platform cannot be read.

    """
    wrong: list[str] = []
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        hit = list(targets)
        names = {target.node for target in hit if target.kind != "Pod" and target.node}
        names |= set(before.nodes) if any(target.kind == control_plane.KIND for target in hit) else set()
        now = {node.metadata.name: node for node in nodes_named(platform, names)}
        for name in sorted(names & set(before.nodes)):
            wrong += _node_differs(name, before.nodes[name], now.get(name), platform.region.gpu_resource)
        wrong += unconfirmed_undos(platform, entries)
        roles = [role for role in roles_now(platform) if role.name in before.replicas]
        for role in roles:
            want = before.replicas[role.name] if role.wanted is None else role.wanted
            wrong += [*_lacking(role.name, role.pods, want), *_leaving(role.name, role.pods)]
        return wrong or _silent(platform, {role.name: role.pods for role in roles})


def _lacking(role: str, pods: Iterable[Pod], want: int) -> list[str]:
    there = list(pods)
    up = sum(ready(pod) for pod in there)
    said = "; ".join(filter(None, map(why_not_ready, there)))
    return [f"role {role} has {up} of {want} replicas ready{f' ({said})' if said else ''}"] if up < want else []


def _leaving(role: str, pods: Iterable[Pod]) -> list[str]:
    names = [pod.metadata.name for pod in pods if pod.metadata.deletion_timestamp is not None]
    return [f"role {role}: {', '.join(names)} is still leaving"] if names else []


PATIENCE_S = 2.0  # for an answer when nobody measures


def _silent(platform: Platform, pods: dict[str, list[Pod]]) -> list[str]:
    """Return the ready replicas that do not answer well what they are asked, where a way to ask them is known."""
    asked = [(role, pod, _patient(askings_of(platform, role, pod))) for role, those in pods.items() for pod in those if ready(pod)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(lambda item: answers(platform, item[1], item[2]), asked))
    return [
        f"pod {pod.metadata.name} of role {role} is ready by the API server, but its {askings[len(said) - 1].question.text} "
        f"answers {said[-1].text} (asked through {askings[len(said) - 1].way})"
        for (role, pod, askings), said in zip(asked, found, strict=True)
        if said and not said[-1].well
    ]


def _patient(asked: Iterable[Asking]) -> tuple[Asking, ...]:
    return tuple(Asking(question._replace(limit_s=max(PATIENCE_S, question.limit_s)), way) for question, way in asked)


def _rollouts(role: RoleNow) -> list[str]:
    return [
        f"role {role.name}: a rollout of {one.reference.kind.lower()} {one.reference.name} is in flight ({one.rollout})"
        for one in role.controllers
        if one.rollout
    ]


def _node_differs(name: str, was: NodeState, node: Node | None, gpu_resource: str) -> list[str]:
    if node is None:
        return [f"node {name} is gone"]
    now = node_state(node, gpu_resource)
    wrong = [f"node {name} is not ready"] if was.ready and not now.ready else []
    if was.schedulable and not now.schedulable:
        wrong.append(f"node {name} is cordoned")
    if now.gpus < was.gpus:
        wrong.append(f"node {name} has {now.gpus} of {was.gpus} {gpu_resource}")
    return wrong
