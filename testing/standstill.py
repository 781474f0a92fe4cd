"""How long a machine stood still or was busy with others, for tests that bound a time: what it kept everybody waiting is added."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TURN_S = 0.05


@contextmanager
def standstill() -> Iterator[Callable[[], float]]:
    """Yield what says for how long (s) a thread that wants a turn twenty times a second was kept waiting since the block began."""
    ended, waited_s = threading.Event(), [0.0]

    def take_turns() -> None:
        before = time.monotonic()
        while not ended.wait(TURN_S):
            now = time.monotonic()
            waited_s[0] += max(0.0, now - before - TURN_S)
            before = now

    thread = threading.Thread(target=take_turns, name="standstill", daemon=True)
    thread.start()
    try:
        yield lambda: waited_s[0]
    finally:
        ended.set()
        thread.join()
