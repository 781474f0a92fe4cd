"""The events of a run, read once: by kind, in order of time, their details parsed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from history.plan import Phase
from history.reader import Run
from history.schema import EventKind

Detail = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One row of ``events`` with its detail as an object."""

    t_ns: int
    kind: str
    object: str
    detail: Detail

    def number(self, key: str) -> float | None:
        """Return ``detail[key]`` if it is a finite number (true and false are 1 and 0)."""
        value = self.detail.get(key)
        return float(value) if isinstance(value, int | float) and abs(value) < float("inf") else None


@dataclass(frozen=True, slots=True)
class Timeline:
    """All events of a run. ``damaged`` counts rows without a time or with a detail that is no JSON object."""

    by_kind: Mapping[str, tuple[Event, ...]]
    damaged: int

    def all(self, *kinds: EventKind) -> tuple[Event, ...]:
        """Return the events of ``kinds`` in order of time."""
        if len(kinds) == 1:
            return self.by_kind.get(kinds[0].value, ())
        return tuple(sorted((event for kind in kinds for event in self.by_kind.get(kind.value, ())), key=lambda event: event.t_ns))

    def first_ns(self, kind: EventKind) -> int | None:
        """Return when the first event of ``kind`` was (ns), if there was one."""
        events = self.all(kind)
        return events[0].t_ns if events else None

    def last_ns(self, kind: EventKind) -> int | None:
        """Return when the last event of ``kind`` was (ns), if there was one."""
        events = self.all(kind)
        return events[-1].t_ns if events else None

    def phase_ns(self, phase: Phase) -> int | None:
        """Return when ``phase`` last began (ns): a baseline may be retried."""
        begun_ns = [event.t_ns for event in self.all(EventKind.PHASE) if event.object == phase.value]
        return begun_ns[-1] if begun_ns else None


def timeline_of(run: Run) -> Timeline:
    """Parse the events of ``run``."""
    by_kind: dict[str, list[Event]] = defaultdict(list)
    damaged = 0
    for t_ns, kind, name, text in run.events.sort("t_ns", maintain_order=True).select("t_ns", "kind", "object", "detail").iter_rows():
        detail = _parsed(text)
        if t_ns is None or kind is None or detail is None:
            damaged += 1
            continue
        by_kind[kind].append(Event(t_ns, kind, name or "", detail))
    return Timeline({kind: tuple(events) for kind, events in by_kind.items()}, damaged)


def _parsed(text: str | None) -> dict[str, object] | None:
    if not text:
        return {}
    try:
        detail = json.loads(text)
    except ValueError:
        return None
    return detail if isinstance(detail, dict) else None
