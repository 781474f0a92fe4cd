"""From selectors to names: what a fault will touch is decided once, by the run's seed, and refused when it is nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeVar

from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors, ready, unless_gone
from kube.labels import BETWEEN
from kube.lists.nodes import nodes_named, other_zones, zones_of
from kube.objects import Named, Node, Pod

T = TypeVar("T")
POSITIVE = re.compile(r"[^!=\s]+(\s*=|\s+in\s*\()")
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
INDEX = "batch.kubernetes.io/job-completion-index"
GLOBAL_INDEX = "jobset.sigs.k8s.io/job-global-index"  # of a Job among all of its JobSet


def demand_selector(selector: str | None, where: str) -> str:
    """Return a label selector that selects something by label.

    Raises:
        TargetRefused: it is missing or empty (which would mean: everything), or only says what is not meant (nearly everything).

    """
    if not selector or not selector.strip():
        raise TargetRefused(f"{where}: the label selector is empty, which would select everything; write one such as app=inference")
    if not any(POSITIVE.match(part.strip()) for part in BETWEEN.split(selector)):
        raise TargetRefused(
            f"{where}: the label selector {selector!r} only excludes, which selects nearly everything; write one such as app=inference"
        )
    return selector.strip()


def choose(items: Sequence[T], count: int, rng: Random, what: str) -> list[T]:
    """Choose ``count`` of ``items`` without replacement, repeatable by the seed of ``rng`` (items come in a stable order).

    Raises:
        TargetRefused: ``count`` is below 1, or there are fewer items.

    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise TargetRefused(f"{what}: count is {count!r}; a fault needs at least one target, a whole number; write count: 1")
    if len(items) < count:
        raise TargetRefused(f"{what}: {len(items)} found, {count} needed; check the selector and that the platform is healthy")
    return rng.sample(list(items), count)


def ready_pods(platform: Platform, role: str) -> list[Pod]:
    """Return the ready pods of ``role``, ordered by node and name.

    Raises:
        TargetRefused: there are none.

    """
    found = platform.target.role(role)
    selector = demand_selector(found.selector, f"role {role}")
    with api_errors(f"role {role}: list pods {selector} in {found.namespace}", TargetRefused):
        pods = platform.pods(role)
    up = [pod for pod in pods if ready(pod)]
    if not up:
        raise TargetRefused(
            f"role {role}: selector {selector} in namespace {found.namespace} matches {len(pods)} pods, none of them ready; "
            "correct the selector in the target file or deploy the platform"
        )
    return up


def choose_pods(platform: Platform, role: str, count: int, rng: Random) -> list[Pod]:
    """Return ``count`` ready pods of ``role`` by ``rng``. Raises TargetRefused: there are fewer."""
    return choose(ready_pods(platform, role), count, rng, f"ready pods of role {role}")


def of_index(platform: Platform, role: str, index: int) -> Pod:
    """Return the ready pod of ``role`` with a Job's completion index; of several Jobs of a JobSet, counted through in their order.

    Raises TargetRefused: there is none.
    """
    places = {place: pod for pod in ready_pods(platform, role) if (place := _place(pod)) is not None}
    a_job = 1 + max((in_job for _, in_job in places), default=0)  # pods of each Job
    for (job, in_job), pod in places.items():
        if job * a_job + in_job == index:
            return pod
    raise TargetRefused(f"role {role}: no ready pod carries {INDEX}={index}; it is no Indexed Job, or that rank is missing")


def _place(pod: Pod) -> tuple[int, int] | None:
    """Return the number of a pod's Job in its JobSet (0: it is of none) and its index in that Job; None: it has no index."""
    labels = pod.metadata.labels or {}
    return (int(labels.get(GLOBAL_INDEX, 0)), int(labels[INDEX])) if INDEX in labels else None


def choose_rank(platform: Platform, role: str, rng: Random, index: int | None) -> Pod:
    """Return the ready pod of ``role`` with that completion index, or one of them by ``rng``. Raises TargetRefused."""
    return choose_pods(platform, role, 1, rng)[0] if index is None else of_index(platform, role, int(index))


def choose_node(platform: Platform, role: str, rng: Random) -> Node:
    """Return one of :func:`nodes_hosting` ``role`` by ``rng`` (same errors)."""
    return choose(nodes_hosting(platform, role), 1, rng, f"nodes of role {role}")[0]


def instrument_pods(platform: Platform) -> list[Pod]:
    """Return the pods that the measurement depends on: the target's instruments, and what runs in the suite's own namespace."""
    found: list[Pod] = []
    with api_errors("instruments: list pods", TargetRefused):
        for instrument in platform.region.all_instruments:
            selector = demand_selector(instrument.selector, f"instrument in {instrument.namespace}")
            found += platform.pods_in(instrument.namespace, selector)
        found += platform.pods_in(platform.target.suite.namespace)
    return [pod for pod in found if pod.status.phase in {"Running", "Pending"}]


def is_control_plane(node: Named) -> bool:
    """Tell whether a node is labelled as part of the control plane."""
    return any(label in (node.metadata.labels or {}) for label in CONTROL_PLANE)


def nodes_hosting(platform: Platform, role: str) -> list[Node]:
    """Return the ready worker nodes that host ``role`` and no instrument, ordered by name.

    Of these only the ones that host the fewest ready pods of it: replicas that moved together in an earlier run must not make this one
    larger than it is meant to be.

    Raises:
        TargetRefused: there are none.

    """
    hosted = Counter(pod.spec.node_name or "" for pod in ready_pods(platform, role))
    kept_out = {pod.spec.node_name or "" for pod in instrument_pods(platform)}
    with api_errors("read the role's nodes", TargetRefused):
        nodes = nodes_named(platform, hosted.keys() - kept_out - {""})
    free = [node for node in nodes if not is_control_plane(node) and ready(node)]
    if not free:
        raise TargetRefused(
            f"role {role}: it runs on {sorted(hosted)}, and each of them is not ready, hosts an instrument "
            f"({sorted(kept_out & hosted.keys())}) or is a control-plane node; spread the role over other nodes or move the instrument"
        )
    least = min(hosted[node.metadata.name] for node in free)
    return [node for node in free if hosted[node.metadata.name] == least]


def zones_hosting(platform: Platform, role: str) -> dict[str, list[Named]]:
    """Return all nodes of each zone that hosts ``role`` and no instrument: zone -> nodes by name, of which only metadata are asked for.

    Only zones with the fewest of it.

    Raises:
        TargetRefused: there are none, or the only zone of the cluster is meant.

    """
    hosted = Counter(pod.spec.node_name or "" for pod in ready_pods(platform, role))
    kept_out = {pod.spec.node_name or "" for pod in instrument_pods(platform)}
    with api_errors("list the nodes of the role's zones", TargetRefused):
        zones = zones_of(platform, hosted.keys() - {""})
        several = len(zones) > 1 or other_zones(platform, zones)
    free = {zone: found for zone, found in sorted(zones.items()) if _may_lose(found, set(hosted), kept_out)}
    if not free or not several:
        only = "" if several else ", the cluster's only ones"
        raise TargetRefused(
            f"role {role}: its zones by label {platform.region.zone_label} are {sorted(zones)}{only}; none of them that hosts the role "
            "without an instrument or control-plane node can be lost; label the nodes, or move the instruments into one zone"
        )
    counts = {zone: sum(hosted[node.metadata.name] for node in found) for zone, found in free.items()}
    return {zone: found for zone, found in free.items() if counts[zone] == min(counts.values())}


def _may_lose(nodes: list[Named], hosts: set[str], kept_out: set[str]) -> bool:
    names = {node.metadata.name for node in nodes}
    return bool(names & hosts) and not names & kept_out and not any(is_control_plane(node) for node in nodes)


def grace_s(pod: Pod) -> float:
    """Return how long a V1Pod may take to end once it is told to (s)."""
    return float(pod.spec.termination_grace_period_seconds or 0)


def pod_target(pod: Pod, effect: str, ends: str, seen_s: float = 0.0) -> ResolvedTarget:
    """Return a V1Pod as a target. ``seen_s``: how long the platform takes until the effect can be seen (s)."""
    meta = pod.metadata
    return ResolvedTarget(
        kind="Pod", name=meta.name, namespace=meta.namespace, uid=meta.uid, node=pod.spec.node_name, effect=effect, ends=ends, seen_s=seen_s
    )


def node_target(node: Named, effect: str, ends: str) -> ResolvedTarget:
    """Return a node as a target."""
    meta = node.metadata
    return ResolvedTarget(kind="Node", name=meta.name, uid=meta.uid, node=meta.name, effect=effect, ends=ends)


def read_target(platform: Platform, target: ResolvedTarget) -> Pod | Node | None:
    """Return the V1Pod or V1Node behind a target (a Device's node), or None if it is gone or was replaced. Raises ApiException."""
    if target.kind == "Pod":
        return read_pod(platform, target)
    node = unless_gone(lambda: platform.node(target.node or target.name))
    return node if node and node.metadata.uid == target.uid else None


def read_pod(platform: Platform, target: ResolvedTarget) -> Pod | None:
    """Return a target's V1Pod, or None if it is gone or was replaced. Raises ApiException."""
    pod = unless_gone(lambda: platform.pod(target.name, target.namespace or ""))
    return pod if pod and pod.metadata.uid == target.uid else None


def still_there(platform: Platform, targets: Sequence[ResolvedTarget]) -> list[Pod | Node]:
    """Return the objects behind ``targets``, just before a fault acts on them.

    Raises:
        FaultFailed: one of them is gone, was replaced or is being deleted since preflight, so nothing was touched.

    """
    with api_errors("read the targets just before the fault", FaultFailed):
        objects = [read_target(platform, target) for target in targets]
    for target, thing in zip(targets, objects, strict=True):
        if thing is None or thing.metadata.deletion_timestamp is not None:
            raise FaultFailed(
                f"{target.kind} {target.name}: it was there in preflight (uid {target.uid}) and is gone or being deleted now; "
                "nothing was touched; find out who else changes the platform, then run again"
            )
    return [thing for thing in objects if thing]


def pods_among(objects: Iterable[Pod | Node]) -> list[Pod]:
    """Return the V1Pods among the objects behind targets, in their order."""
    return [one for one in objects if isinstance(one, Pod)]


def nodes_among(objects: Iterable[Pod | Node]) -> list[Node]:
    """Return the V1Nodes among the objects behind targets, in their order."""
    return [one for one in objects if isinstance(one, Node)]
