"""The open loop by itself: nothing is sent, and the alarm decides what happens while the dispatcher sleeps."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from history.clock import now_ns
from history.prompts import Prompt
from workloads.load.dispatcher import AT_ONCE, Dispatcher
from workloads.load.exchange import Call

HOUR_NS = 3_600_000_000_000


class Alarm:
    """Plays one scene a sleep."""

    def __init__(self) -> None:
        self.scenes: list[Callable[[], None]] = []

    def sleep(self, duration_ns: int) -> None:
        assert duration_ns > 0
        self.scenes.pop(0)()

    def ring(self) -> None:
        """Nobody sleeps while a scene is played."""


class Offered:
    """A dispatcher of one arrival an offset, and what it began and carried."""

    def __init__(self, offsets_ns: list[int]) -> None:
        self.begun: list[int] = []
        self.carried: list[int] = []
        self.alarm = Alarm()
        arrivals = [(number, offset_ns, False, 0, 1) for number, offset_ns in enumerate(offsets_ns)]
        self.dispatcher = Dispatcher(arrivals, [Prompt("p", None)], self._begin, self._carry, self.alarm)

    def _begin(self, call: Call) -> None:
        self.begun.append(call.request_id)

    def _carry(self, call: Call) -> None:
        self.carried.append(call.request_id)


def test_what_is_due_when_bytes_arrive_is_sent_in_that_moment() -> None:
    offered, origin_ns, seen = Offered([0, HOUR_NS, 2 * HOUR_NS, 2 * HOUR_NS + 1]), now_ns(), list[list[int]]()
    dispatcher = offered.dispatcher

    def bytes_arrive(at_ns: int) -> None:
        dispatcher.catch_up(at_ns)
        seen.append(list(offered.begun))

    offered.alarm.scenes = [lambda: bytes_arrive(origin_ns + HOUR_NS - 1), lambda: bytes_arrive(origin_ns + HOUR_NS), dispatcher.stop]
    dispatcher.run(origin_ns)
    gevent.sleep(0)
    assert seen == [[0], [0, 1]]
    assert offered.begun == offered.carried == [0, 1]


def test_what_was_due_before_a_stop_is_sent_and_nothing_else() -> None:
    offered, origin_ns = Offered([0, 1, HOUR_NS]), now_ns()
    offered.dispatcher.stop()
    offered.dispatcher.catch_up(origin_ns + 2 * HOUR_NS)
    assert offered.begun == []  # it has no origin yet
    offered.dispatcher.run(origin_ns - 2)
    offered.dispatcher.catch_up(origin_ns + 2 * HOUR_NS)
    assert offered.begun == [0, 1]


def test_far_behind_its_schedule_it_gives_the_others_a_turn() -> None:
    offered = Offered([0] * (3 * AT_ONCE))
    turns: list[int] = []
    other = gevent.spawn(lambda: [(turns.append(len(offered.begun)), gevent.sleep(0)) for _ in range(3)])
    offered.dispatcher.run(now_ns())
    other.join()
    assert turns[0] == AT_ONCE
    assert len(offered.begun) == 3 * AT_ONCE
