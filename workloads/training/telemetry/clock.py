"""How far this host's clock lies from another's, by asking that one for the time, as NTP does."""

import time
from collections.abc import Callable
from typing import NamedTuple

EXCHANGES = 5


class Clock:
    """The clocks of this host."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def time_ns(self) -> int:
        """Return the time of day (ns UTC)."""
        return time.time_ns()


class Offset(NamedTuple):
    """What must be added to this host's times to have the other's (ns), and by how much that may be wrong (ns)."""

    offset_ns: int
    error_ns: int


def measured_offset(ask: Callable[[], int | None], clock: Clock, exchanges: int = EXCHANGES) -> Offset | None:
    """Return the offset by the quickest of some exchanges; None if the other does not tell its time.

    The other's time was read at some moment between question and answer: the middle, give or take half of what the exchange took
    (RFC 5905). ``ask`` returns the other's time (ns UTC); what it raises is not caught.
    """
    found = []
    for _ in range(exchanges):
        asked_ns, asked_s = clock.time_ns(), clock.monotonic()
        told_ns = ask()
        if told_ns is None:
            return None
        half_ns = int((clock.monotonic() - asked_s) * 5e8)
        found.append(Offset(told_ns - asked_ns - half_ns, half_ns))
    return min(found, key=lambda one: one.error_ns)
