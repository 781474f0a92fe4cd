"""What the fault was aimed at, and what it says it touched."""

from __future__ import annotations

from collections.abc import Iterable

from history.schema import EventKind
from verdict.case import Case

POD, NODE = "pod", "node"


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


def _fault_ns(case: Case) -> int:
    return case.recovery.fault_ns if case.recovery else 0


def _names(targets: object) -> Iterable[str]:
    if not isinstance(targets, list):
        return []
    named = (target.get("name") if isinstance(target, dict) else target for target in targets)
    return [name for name in named if isinstance(name, str)]
