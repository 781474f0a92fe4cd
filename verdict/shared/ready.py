"""Which replicas are ready: the condition says so, and they serve when asked. The one rule of capacity, lanes and false readiness.

A pod that Kubernetes calls Ready does not count while its own answer is not well, or its node is not heard of. Who was never asked is Ready
by its condition, and the words say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from history.schema import EventKind
from verdict.case import Case
from verdict.shared.health import serving_claims
from verdict.shared.once import once


class Change(NamedTuple):
    """From ``t_ns`` on, ``pod`` is READY or UNREADY by its condition, WELL or ILL by what it answered."""

    t_ns: int
    pod: str
    kind: int


READY, UNREADY, WELL, ILL = range(4)


@dataclass(frozen=True, slots=True)
class Spell:
    """A pod was Ready by its condition in [start_ns, end_ns), and served all that time or at no time of it; ``None``: until the end."""

    start_ns: int
    end_ns: int | None
    served: bool


def conditions(case: Case) -> list[Change]:
    """Return when pods became or ceased to be Ready by their condition."""
    events = case.timeline.all(EventKind.POD_READY, EventKind.POD_UNREADY, EventKind.POD_GONE)
    return [Change(event.t_ns, event.object, READY if event.kind == EventKind.POD_READY.value else UNREADY) for event in events]


def answers(case: Case) -> list[Change]:
    """Return what pods answered when they were asked whether they serve, or whether their node was heard of."""
    return [Change(claim.start_ns, pod, WELL if claim.green else ILL) for pod, claims in serving_claims(case).items() for claim in claims]


@once
def spells_of(case: Case) -> dict[str, tuple[Spell, ...]]:
    """Return for each pod the spells in which its condition said Ready, in order."""
    of_pod: dict[str, list[Change]] = {}
    for change in sorted([*conditions(case), *answers(case)]):
        of_pod.setdefault(change.pod, []).append(change)
    return {pod: tuple(_spells(changes)) for pod, changes in of_pod.items()}


def _spells(changes: list[Change]) -> list[Spell]:
    spells: list[Spell] = []
    ready, ill, since_ns = False, False, 0
    for t_ns, _, kind in changes:
        now_ready = kind == READY if kind in {READY, UNREADY} else ready
        now_ill = kind == ILL if kind in {WELL, ILL} else ill
        if (now_ready, now_ill) == (ready, ill):
            continue
        if ready and t_ns > since_ns:
            spells.append(Spell(since_ns, t_ns, not ill))
        ready, ill, since_ns = now_ready, now_ill, t_ns
    return [*spells, Spell(since_ns, None, not ill)] if ready else spells
