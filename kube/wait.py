"""Waiting for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.1


def until(condition: Callable[[], bool], timeout_s: float, poll_s: float = POLL_S, pause: Callable[[float], object] = time.sleep) -> bool:
    """Wait until ``condition`` holds; return False if it did not within ``timeout_s``.

    ``pause(seconds)`` waits between two looks: a run's stop, for example, whose wait ends early.
    """
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            return False
        pause(poll_s)
    return True
