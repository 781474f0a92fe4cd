"""What the fault was aimed at, and what it says it touched."""

from __future__ import annotations

from collections.abc import Iterable

from history.plan import NAMESPACE
from history.schema import EventKind
from verdict.case import Case
from verdict.shared.once import once

POD, NODE = "pod", "node"
HITS = frozenset({"Pod", "Node", "Device"})  # kinds of targets of which it is known which pods they are, or are under


def touched(case: Case) -> tuple[str, ...]:
    """Return the names of the objects that the fault's actions say they touched, each once."""
    events = case.timeline.all(EventKind.FAULT_START)
    return tuple(dict.fromkeys(name for event in events for name in _names(event.detail.get("targets"))))


def short(name: str) -> str:
    """Return an object's own name: ``web-1`` of ``Pod/web-1`` or ``pod/ml-serving/web-1``."""
    return name.rsplit("/", 1)[-1]


def target_pods(case: Case) -> tuple[str, ...]:
    """Return the pods that were hit: those that the plan or the actions name, and those on a node that they name."""
    planned = [(target.kind.lower(), target.name) for target in case.run.plan.targets]
    said = [(name.split("/", 1)[0].lower() if "/" in name else "", short(name)) for name in touched(case)]
    pods = {name for kind, name in [*planned, *said] if kind in {POD, ""}}
    nodes = {name for kind, name in [*planned, *said] if kind == NODE}
    homes = (event for event in case.timeline.all(EventKind.POD_READY, EventKind.POD_SCHEDULED) if event.t_ns <= _fault_ns(case))
    return tuple(sorted(pods | {event.object for event in homes if event.detail.get("node") in nodes}))


def nodes_hit(case: Case) -> frozenset[str]:
    """Return the nodes that the plan names, or whose devices it names."""
    return frozenset(one.node for one in case.run.plan.targets if one.kind != "Pod" and one.node)


@once
def roles_hit(case: Case) -> frozenset[str] | None:
    """Return the roles of the pods that were hit, or stood on what was; ``None``: it is not known of every target whose they are."""
    if any(one.kind not in HITS and one.kind != NAMESPACE for one in case.run.plan.targets):
        return None
    nodes = nodes_hit(case)
    seen = case.timeline.all(EventKind.POD_READY, EventKind.POD_CREATED, EventKind.POD_SCHEDULED)
    there = (one.object for one in seen if one.t_ns <= _fault_ns(case) and one.detail.get("node") in nodes)
    pods = {*target_pods(case), *there}
    found = {str(role) for one in seen if one.object in pods and (role := one.detail.get("role"))}
    return frozenset(found) or None


def _fault_ns(case: Case) -> int:
    return case.recovery.fault_ns if case.recovery else 0


def _names(targets: object) -> Iterable[str]:
    if not isinstance(targets, list):
        return []
    named = (target.get("name") if isinstance(target, dict) else target for target in targets)
    return [name for name in named if isinstance(name, str)]
