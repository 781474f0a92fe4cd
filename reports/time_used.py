"""How much of a night's time was needed, and where the rest went: what no run can do without, beside what the clock says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from history.plan import Phase, Timers
from history.result import RunVerdict
from history.schema import EventKind
from history.values import FrozenModel
from verdict.inputs.timeline import Timeline
from verdict.words import percent, seconds

RECOVERY, CAPACITY = "rto", "full_capacity"
BETWEEN = "between runs"
WORDS = {Phase.WRITE_AHEAD: "write-ahead", Phase.SCENE: "diagnostics", Phase.SETTLE: "drain"}
SHOWN_S = 0.5


class TimeUsed(FrozenModel):
    """Time of a night (s). ``spent``: by phase, in the order of a run, then what lies between runs (starting, preflight, judging)."""

    needed_s: float
    took_s: float
    efficiency: float
    spent: dict[str, float]

    @property
    def sentence(self) -> str:
        """How much was needed, and where the time went."""
        parts = ", ".join(f"{name} {seconds(spent)}" for name, spent in self.spent.items() if spent >= SHOWN_S)
        return f"{percent(self.efficiency)} of {seconds(self.took_s)} were needed ({parts})"


def needed_s(timers: Timers, verdict: RunVerdict, *, capacity: bool) -> float:
    """Return what a run cannot do without (s): its baseline, and the longest of recovery with a hold, capacity, and what must be watched.

    ``capacity``: it is budgeted, so it is waited for; nothing is held after it.
    """
    held_s = (_measured_s(verdict, RECOVERY) or 0.0) + timers.hold_s
    capacity_s = (_measured_s(verdict, CAPACITY) or 0.0) if capacity else 0.0
    return round(timers.baseline_s + max(held_s, capacity_s, timers.watch_s), 1)


def _measured_s(verdict: RunVerdict, name: str) -> float | None:
    found = verdict.measurement(name)
    return found.value if found else None


def spent_s(timeline: Timeline, until_ns: int) -> dict[str, float]:
    """Return how long each phase of a run lasted (s), the last one until ``until_ns``."""
    begun = [(event.object, event.t_ns) for event in timeline.all(EventKind.PHASE)]
    found: dict[str, float] = {}
    for (name, start_ns), (_, end_ns) in pairwise([*begun, ("", until_ns)]):
        found[name] = found.get(name, 0.0) + max(0, end_ns - start_ns) / 1e9
    return {name: round(lasted, 1) for name, lasted in found.items()}


def time_used(runs: Sequence[tuple[float, Mapping[str, float]]], took_s: float | None) -> TimeUsed | None:
    """Return what ``runs`` (needed and spent of each) took of a night that lasted ``took_s``; null: there was none."""
    if not runs or not took_s:
        return None
    phases = {phase: sum(spent.get(phase.value, 0.0) for _, spent in runs) for phase in Phase}
    spent = {WORDS.get(phase, phase.value): round(lasted, 1) for phase, lasted in phases.items() if lasted}
    between = {BETWEEN: round(max(0.0, took_s - sum(phases.values())), 1)}
    needed = round(sum(needed for needed, _ in runs), 1)
    return TimeUsed(needed_s=needed, took_s=took_s, efficiency=round(needed / took_s, 3), spent=spent | between)
