"""Whether the pods that a fault displaces find room elsewhere: their requests against what the remaining nodes have left.

:func:`room` is pure. It asks what the scheduler asks first: readiness, cordons, taints, node selectors and required node affinity, required
anti-affinity among pods, and requests. Soft preferences, topology spread and volumes are not looked at, and pods are placed largest first:
a "yes" is a good guess, a "no" names a pod for which there is no place whatever the scheduler prefers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from kubernetes.client import (
    V1Container,
    V1NodeSelectorTerm,
    V1Taint,
)
from kubernetes.utils.quantity import parse_quantity

from kube.client import ready
from kube.disruption.eviction import is_evictable
from kube.labels import all_hold, selected
from kube.objects import Node, Pod

Amounts = dict[str, Decimal]  # by resource; "pods" is one of them
FORBID = {"NoSchedule", "NoExecute"}
NAME = "metadata.name"
SHOWN = 12  # nodes that a sentence names


@dataclass(frozen=True, slots=True)
class Room:
    """What becomes of the displaced pods: ``lacking`` free requests, as sentences, and ``bound`` to the nodes that go down.

    ``without``: the pods of which ``lacking`` speaks.
    """

    lacking: tuple[str, ...]
    bound: tuple[Pod, ...]
    without: tuple[Pod, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """Return all that is worth knowing, a sentence for each pod."""
        return [*self.lacking, *map(_waits, self.bound)]


@dataclass(slots=True)
class Place:
    """A node that stays, with what is free on it and the pods that it has."""

    node: Node
    free: Amounts
    pods: list[Pod]

    def take(self, pod: Pod) -> None:
        """Let a pod live here."""
        self.pods.append(pod)
        for resource, amount in requests(pod).items():
            self.free[resource] = self.free.get(resource, Decimal(0)) - amount


def room(down: Collection[str], nodes: Iterable[Node], pods: Iterable[Pod]) -> Room:
    """Place the pods of the nodes ``down`` on the others; return which of them find none."""
    alive = [pod for pod in pods if pod.status.phase in {"Running", "Pending"}]
    on = defaultdict[str | None, list[Pod]](list)
    for pod in alive:
        on[pod.spec.node_name].append(pod)
    stay = (node for node in nodes if node.metadata.name not in down and ready(node) and not node.spec.unschedulable)
    places = [_place(node, on[node.metadata.name]) for node in stay]
    lacking, bound, without = list[str](), list[Pod](), list[Pod]()
    for pod in sorted((pod for pod in alive if pod.spec.node_name in down and is_evictable(pod)), key=_weight, reverse=True):
        if (place := _found(pod, places)) is not None:
            place.take(pod)
        elif open_to := [place for place in places if permits(place.node, pod)]:
            lacking.append(f"{_name(pod)} ({shown(pod)}) finds no room on {_names(open_to)}")
            without.append(pod)
        else:
            bound.append(pod)
    return Room(tuple(lacking), tuple(bound), tuple(without))


def _found(pod: Pod, places: Sequence[Place]) -> Place | None:
    """Return where a pod fits; of several places the one with the most free memory."""
    asked = requests(pod)
    largest_first = sorted(places, key=lambda place: place.free.get("memory", Decimal(0)), reverse=True)
    fitting = (place for place in largest_first if permits(place.node, pod) and _fits(place, asked) and not _repelled(pod, place, places))
    return next(fitting, None)


def requests(pod: Pod) -> Amounts:
    """Return what the scheduler counts for a V1Pod: all containers and sidecars, or the largest init container, and the overhead."""
    together = _sum(_of(one) for one in [*pod.spec.containers, *(one for one in pod.spec.init_containers or [] if _is_sidecar(one))])
    for one in pod.spec.init_containers or []:
        for resource, amount in _of(one).items():
            together[resource] = max(together.get(resource, Decimal(0)), amount)
    return _sum([together, {name: _amount(value) for name, value in (pod.spec.overhead or {}).items()}, {"pods": Decimal(1)}])


def permits(node: Node, pod: Pod) -> bool:
    """Tell whether a V1Node's labels and taints let a V1Pod run there."""
    if not (pod.spec.node_selector or {}).items() <= (node.metadata.labels or {}).items():
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    if required and not any(_term_holds(term, node) for term in required.node_selector_terms):
        return False
    return all(_tolerated(taint, pod) for taint in node.spec.taints or [] if taint.effect in FORBID)


def shown(pod: Pod) -> str:
    """Return a V1Pod's requests as a person writes them."""
    asked = [f"{resource} {amount.normalize():f}" for resource, amount in sorted(requests(pod).items()) if resource != "pods"]
    return ", ".join(asked) or "no requests"


def _place(node: Node, there: Iterable[Pod]) -> Place:
    made = Place(node, {name: _amount(value) for name, value in (node.status.allocatable or {}).items()}, [])
    for pod in there:
        made.take(pod)
    return made


def _fits(place: Place, asked: Amounts) -> bool:
    return all(not amount or place.free.get(resource, Decimal(0)) >= amount for resource, amount in asked.items())


def _repelled(pod: Pod, place: Place, places: Iterable[Place]) -> bool:
    """Tell whether required anti-affinity keeps a pod away from what lives in the same domain (a node, a zone) as ``place``."""
    anti = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    for term in (anti.required_during_scheduling_ignored_during_execution if anti else None) or []:
        domain = (place.node.metadata.labels or {}).get(term.topology_key)
        near = [one for other in places if (other.node.metadata.labels or {}).get(term.topology_key) == domain for one in other.pods]
        spaces = term.namespaces or [pod.metadata.namespace]
        if domain is not None and any(one.metadata.namespace in spaces and selected(term.label_selector, one) for one in near):
            return True
    return False


def _term_holds(term: V1NodeSelectorTerm, node: Node) -> bool:
    fields = [one for one in term.match_fields or [] if one.key == NAME]
    return all_hold(term.match_expressions, node.metadata.labels or {}) and all_hold(fields, {NAME: node.metadata.name})


def _tolerated(taint: V1Taint, pod: Pod) -> bool:
    return any(
        one.effect in {None, "", taint.effect}
        and (one.key in {None, "", taint.key})
        and (one.operator == "Exists" or (one.key == taint.key and (one.value or "") == (taint.value or "")))
        for one in pod.spec.tolerations or []
    )


def _is_sidecar(container: V1Container) -> bool:
    return container.restart_policy == "Always"


def _of(container: V1Container) -> Amounts:
    asked = (container.resources.requests if container.resources else None) or {}
    return {name: _amount(value) for name, value in asked.items()}


@cache
def _amount(written: str) -> Decimal:
    """Return a Kubernetes quantity (``500m``, ``2Gi``) as a number."""
    return Decimal(parse_quantity(written))


def _sum(parts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    found: Amounts = {}
    for part in parts:
        for resource, amount in part.items():
            found[resource] = found.get(resource, Decimal(0)) + amount
    return found


def _weight(pod: Pod) -> list[tuple[bool, Decimal]]:
    """Order pods by what is scarcest: an accelerator before memory before processors."""
    asked = requests(pod)
    special = sum((amount for resource, amount in asked.items() if "/" in resource), Decimal(0))
    return [(special > 0, special), (True, asked.get("memory", Decimal(0))), (True, asked.get("cpu", Decimal(0)))]


def _name(pod: Pod) -> str:
    return f"pod {pod.metadata.namespace}/{pod.metadata.name}"


def _waits(pod: Pod) -> str:
    return f"{_name(pod)} may run on no other node (its selector, its affinity, their taints): it waits until its node is back"


def _names(places: Iterable[Place]) -> str:
    names = sorted(place.node.metadata.name for place in places)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
