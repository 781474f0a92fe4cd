"""One clock a process: nanoseconds UTC that never step, from one wall-clock anchor and the monotonic clock.

Two processes on one machine share the monotonic clock, so their times differ only by the error of their two anchors (tens of
microseconds). The anchor is recorded, so that a later reader can correct a process whose wall clock was wrong when it started.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Anchor:
    """A wall-clock time and the monotonic time read together (both ns)."""

    wall_ns: int
    monotonic_ns: int


def take_anchor() -> Anchor:
    """Read both clocks as close together as five attempts allow (the narrowest bracket wins)."""
    brackets = []
    for _ in range(5):
        before, wall, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        brackets.append((after - before, wall, (before + after) // 2))
    _, wall_ns, monotonic_ns = min(brackets)
    return Anchor(wall_ns, monotonic_ns)


ANCHOR = take_anchor()


def now_ns() -> int:
    """Return ns since the Unix epoch (UTC), monotonic within this process."""
    return ANCHOR.wall_ns + time.perf_counter_ns() - ANCHOR.monotonic_ns


def now_s() -> float:
    """Return :func:`now_ns` in seconds."""
    return now_ns() / 1e9


@dataclass(frozen=True, slots=True)
class Offset:
    """How far another process' clock is ahead of this one's, and how far that may be wrong (both ns)."""

    offset_ns: int
    error_ns: int


def offset_of(exchanges: Iterable[tuple[int, int, int]]) -> Offset:
    """Return the offset that the quickest of some exchanges tells: (asked here, answered there, heard here), all in ns.

    The answer was given between asking and hearing, so the middle is wrong by at most half of the round trip (as in NTP, RFC 5905 §8).
    Raises ValueError: no exchange.
    """
    asked, answered, heard = min(exchanges, key=lambda exchange: exchange[2] - exchange[0])
    return Offset(answered - (asked + heard) // 2, (heard - asked + 1) // 2)
