"""The open loop: each request is sent at its intended time, whatever happened to earlier ones.

Closed-loop users wait for answers, so that during an outage they stop asking: measured, they report 0.6 % of a 15 % harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import gevent
import gevent.event
from gevent import Greenlet

from history.clock import now_ns
from workloads.load.alarm import Alarm
from workloads.load.client import LOAD_ENDED, Call, CutOff
from workloads.load.prompts import Prompt

YIELD_EVERY = 32  # launches in a row when behind the schedule; then those launched get a turn

Arrival = tuple[int, int, bool, int, int]
"""request_id, offset_ns, stream, prompt_id, max_tokens; in the order of the offsets."""


class Dispatcher:
    """One greenlet that launches one greenlet a request."""

    def __init__(self, arrivals: Iterable[Arrival], prompts: Sequence[Prompt], carry: Callable[[Call], None], alarm: Alarm) -> None:
        self._arrivals, self._prompts, self._carry, self._alarm = arrivals, prompts, carry, alarm
        self._open: set[Greenlet] = set()
        self._stop_ns: int | None = None
        self._last_order = gevent.event.Event()

    @property
    def stop_ns(self) -> int | None:
        """When :meth:`stop` was called (ns), ``None`` before."""
        return self._stop_ns

    def run(self, origin_ns: int) -> None:
        """Launch every arrival at ``origin_ns`` + its offset; return at the end of the schedule or when stopped.

        All arrivals that were due when it was stopped are launched, none that was not.
        """
        behind = 0
        for request_id, offset_ns, stream, prompt_id, max_tokens in self._arrivals:
            intended_ns = origin_ns + offset_ns
            behind = behind + 1 if self._wait_until(intended_ns) else 0
            if self._stop_ns is not None and intended_ns > self._stop_ns:
                break
            self._open.add(gevent.spawn(self._one, Call(request_id, intended_ns, stream, self._prompts[prompt_id], max_tokens)))
            if behind >= YIELD_EVERY:
                behind = 0
                gevent.sleep(0)

    def _wait_until(self, intended_ns: int) -> bool:
        """Sleep until ``intended_ns`` or a stop; tell whether that time had passed already."""
        early_ns = intended_ns - now_ns()
        if early_ns <= 0:
            return True
        while early_ns > 0 and self._stop_ns is None:
            self._alarm.sleep(early_ns)
            early_ns = intended_ns - now_ns()
        return False

    def _one(self, call: Call) -> None:
        try:
            self._carry(call)
        finally:
            self._open.discard(gevent.getcurrent())

    def stop(self) -> None:
        """Launch nothing that is intended later than now; a second call also cuts off what :meth:`drain` waits for."""
        if self._stop_ns is not None:
            self._last_order.set()
            return
        self._stop_ns = now_ns()
        self._alarm.ring()

    def drain(self, limit_s: float) -> int:
        """Wait for open requests for at most ``limit_s``, then cut them off; return how many were cut off."""
        waiting = gevent.spawn(gevent.wait, list(self._open))
        gevent.wait([waiting, self._last_order], timeout=limit_s, count=1)
        waiting.kill()
        left = list(self._open)
        gevent.killall(left, exception=CutOff(LOAD_ENDED))
        return len(left)
