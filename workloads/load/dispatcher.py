"""The open loop: each request is sent at its intended time, whatever happened to earlier ones.

Closed-loop users wait for answers, so that during an outage they stop asking: measured, they report 0.6 % of a 15 % harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import gevent
import gevent.event
from gevent import Greenlet

from history.clock import now_ns
from history.prompts import Prompt
from workloads.load.alarm import Alarm
from workloads.load.client import LOAD_ENDED
from workloads.load.exchange import Call, CutOff

AT_ONCE = 32  # launches in a row when behind the schedule; then those launched get a turn
NEVER_NS = 2**63

Arrival = tuple[int, int, bool, int, int]
"""request_id, offset_ns, stream, prompt_id, max_tokens; in the order of the offsets."""
Carry = Callable[[Call], None]


class Dispatcher:
    """One greenlet that launches one greenlet a request.

    Its alarm is one event among many: when hundreds of answers are ready at once, it would ring after the last of them. So whoever
    comes to run first calls :meth:`catch_up`, and ``begin`` sends before the request's own greenlet gets its first turn.
    """

    def __init__(self, arrivals: Iterable[Arrival], prompts: Sequence[Prompt], begin: Carry, carry: Carry, alarm: Alarm) -> None:
        self._arrivals, self._prompts, self._begin, self._carry, self._alarm = iter(arrivals), prompts, begin, carry, alarm
        self._open: set[Greenlet] = set()
        self._origin_ns = 0
        self._next: Call | None = None
        self._due_ns = NEVER_NS
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
        self._origin_ns = origin_ns
        self._advance()
        while self._due_ns <= (NEVER_NS - 1 if self._stop_ns is None else self._stop_ns):
            early_ns = self._due_ns - now_ns()
            if early_ns > 0:
                self._alarm.sleep(early_ns)
                continue
            self.catch_up(now_ns())
            if self._due_ns <= now_ns():
                gevent.sleep(0)

    def catch_up(self, t_ns: int) -> None:
        """Launch what is due at ``t_ns`` (ns, now) and was before a stop, though not more than a few."""
        if t_ns < self._due_ns:
            return
        last_ns = t_ns if self._stop_ns is None else min(t_ns, self._stop_ns)
        for _ in range(AT_ONCE):
            if self._next is None or self._due_ns > last_ns:
                return
            call = self._next
            self._advance()
            self._begin(call)
            self._open.add(gevent.spawn(self._one, call))

    def _advance(self) -> None:
        """Make the next arrival the one that is waited for."""
        arrival = next(self._arrivals, None)
        if arrival is None:
            self._next, self._due_ns = None, NEVER_NS
            return
        request_id, offset_ns, stream, prompt_id, max_tokens = arrival
        self._due_ns = self._origin_ns + offset_ns
        self._next = Call(request_id, self._due_ns, stream, self._prompts[prompt_id], max_tokens)

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
