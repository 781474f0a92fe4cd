"""Whether the platform is healthy before a run, and as it was before after it: one set of checks for both.

What the API server says may be old: a node without power is Ready there for 50 s more, and so are its pods. So a machine that was without
power must have spoken since (:mod:`safety.undo_confirmed`), and every ready replica must itself answer what its readiness probe asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import PARALLEL, Platform, api_errors, ready
from kube.controllers import controller_of, wanted
from kube.health.serving import Asking, answers, askings_of
from kube.node_state import NodeState, node_state
from kube.objects import Node, Pod
from kube.selection import grace_s
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import Undo


@dataclass(frozen=True, slots=True)
class Before:
    """The platform before the fault: what healing must bring back.

    ``replicas`` are the desired ones of each role; ``grace_s`` is how long a pod of theirs may take to leave, at most.
    """

    replicas: dict[str, int]
    nodes: dict[str, NodeState]
    grace_s: float = 0.0


def look(platform: Platform) -> Before:
    """Return the platform's state now. Raises TargetRefused: it cannot be read."""
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        roles = [name for name, role in platform.target.roles.items() if not role.of_run]
        with ThreadPoolExecutor(PARALLEL) as pool:
            desired = dict(zip(roles, pool.map(lambda name: wanted(platform, platform.target.role(name)), roles), strict=True))
        pods = platform.pods_of_roles()
        nodes = {node.metadata.name: node_state(node, platform.region.gpu_resource) for node in platform.nodes()}
    replicas = {role: len(pods[role]) if found is None else found for role, found in desired.items()}
    return Before(replicas, nodes, max((grace_s(pod) for role in roles for pod in pods[role]), default=0.0))


def complaints(platform: Platform, before: Before) -> list[str]:
    """Return why the platform is not healthy now, as sentences: replicas missing, a rollout in flight, a node under a role not ready."""
    wrong: list[str] = []
    with api_errors(f"target {platform.target.name}: look at the platform", TargetRefused):
        pods = platform.pods_of_roles()
        with ThreadPoolExecutor(PARALLEL) as pool:
            rollouts = list(pool.map(lambda role: _rollout(platform, role), before.replicas))
        for (role, want), rollout in zip(before.replicas.items(), rollouts, strict=True):
            wrong += [*_lacking(role, pods[role], want), *_surplus(role, pods[role], want), *rollout]
        wrong += _silent(platform, pods)
        hosts = {pod.spec.node_name for those in pods.values() for pod in those}
    wrong += [
        f"node {name} hosts the platform and is not ready" for name, state in before.nodes.items() if name in hosts and not state.ready
    ]
    return wrong


def differences(platform: Platform, before: Before, targets: Iterable[ResolvedTarget], entries: Sequence[Undo]) -> list[str]:
    """Return what is not as before: roles without all their replicas, target nodes not back, cordoned or without their accelerators.

    A pod that is still leaving counts: the next run's preflight would refuse it as a surplus. More replicas than before do not, since an
    autoscaler may have added them.

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
        names = {target.node for target in targets if target.kind != "Pod" and target.node}
        now = {node.metadata.name: node for node in platform.nodes()}
        for name in sorted(names & set(before.nodes)):
            wrong += _node_differs(name, before.nodes[name], now.get(name), platform.region.gpu_resource)
        wrong += unconfirmed_undos(platform, entries)
        pods = platform.pods_of_roles()
        for role, want in before.replicas.items():
            wrong += [*_lacking(role, pods[role], want), *_leaving(role, pods[role])]
        return wrong or _silent(platform, pods)


def _lacking(role: str, pods: Iterable[Pod], want: int) -> list[str]:
    up = sum(ready(pod) for pod in pods)
    return [f"role {role} has {up} of {want} replicas ready"] if up < want else []


def _surplus(role: str, pods: Iterable[Pod], want: int) -> list[str]:
    names = [pod.metadata.name for pod in pods if pod.status.phase in {"Running", "Pending"}]
    return [f"role {role} has {len(names)} pods for {want} replicas: something is being replaced"] if len(names) > want else []


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


def _rollout(platform: Platform, role: str) -> list[str]:
    declared, controller = platform.target.role(role).controller, controller_of(platform, platform.target.role(role))
    if declared is None or controller is None:
        return []
    updated = controller.status.updated_replicas or 0
    seen = controller.status.observed_generation or 0
    if seen >= controller.metadata.generation and updated >= (controller.spec.replicas or 0):
        return []
    what, want = f"{declared.kind.lower()} {declared.name}", controller.spec.replicas
    return [f"role {role}: a rollout of {what} is in flight ({updated} of {want} replicas updated)"]


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
