"""How far the clocks of a run's processes may lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

from history.schema import EventKind
from verdict.inputs.timeline import Event, Timeline


@dataclass(frozen=True, slots=True)
class Clocks:
    """``error_s`` is NaN if no process recorded its clock; ``furthest`` names the two processes that lie furthest apart.

    ``elsewhere`` are the processes whose offset was measured.
    """

    error_s: float
    furthest: tuple[str, str] = ("", "")
    elsewhere: tuple[str, ...] = ()


def clocks_of(timeline: Timeline) -> Clocks:
    """Return the largest error between any two clocks of the run (s).

    Processes on one machine share its monotonic clock. Each records its wall clock minus its monotonic clock; the largest difference of
    these is how far their times lie apart. A process on another machine has its offset measured: that offset, plus what it may be wrong by,
    counts as its error. Where nobody measured it, the error shows as huge.
    """
    events = timeline.all(EventKind.CLOCK)
    measured = {event.object: _offset_ms(event) for event in events if "offset_ms" in event.detail}
    anchors = [
        (difference, event.object) for event in events if event.object not in measured and (difference := _anchor_ns(event)) is not None
    ]
    if not anchors and not measured:
        return Clocks(math.nan)
    if None in measured.values():
        return Clocks(math.nan, next((name, name) for name, offset in measured.items() if offset is None))
    low, high = (min(anchors), max(anchors)) if anchors else ((0, ""), (0, ""))
    offset_ms, name = max(((offset or 0.0, name) for name, offset in measured.items()), default=(0.0, ""))
    spread_s = (high[0] - low[0]) / 1e9
    furthest = (low[1], high[1]) if spread_s >= offset_ms / 1e3 else (name, high[1])
    return Clocks(spread_s + offset_ms / 1e3, furthest, tuple(sorted(measured)))


def _offset_ms(event: Event) -> float | None:
    """Return how far a measured clock may be off at most (ms), ``None`` if that is not a number."""
    offset_ms, error_ms = event.number("offset_ms"), event.number("error_ms") if "error_ms" in event.detail else 0.0
    return None if offset_ms is None or error_ms is None else abs(offset_ms) + error_ms


def _anchor_ns(event: Event) -> int | None:
    wall, monotonic = event.detail.get("wall_ns"), event.detail.get("monotonic_ns")
    return wall - monotonic if isinstance(wall, int) and isinstance(monotonic, int) else None
