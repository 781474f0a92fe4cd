"""A machine that keeps a thread waiting is noticed, by about as long as it did."""

from __future__ import annotations

import time

from testing.standstill import TURN_S, standstill
from testing.waiting import wait_for


def test_who_keeps_all_threads_waiting_is_noticed_for_as_long() -> None:
    with standstill() as kept_waiting_s:
        begun_s = time.monotonic()
        sum(range(30_000_000))  # it holds the interpreter's lock
        took_s = time.monotonic() - begun_s
        wait_for(lambda: kept_waiting_s() > took_s - 2 * TURN_S, "it was noticed")


def test_nothing_was_kept_waiting_before_it_began() -> None:
    with standstill() as kept_waiting_s:
        assert kept_waiting_s() == 0.0
