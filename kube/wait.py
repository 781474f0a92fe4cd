"""Waiting for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")
POLL_S = 0.1


def until(look: Callable[[], Seen], timeout_s: float, poll_s: float = POLL_S, pause: Callable[[float], object] = time.sleep) -> Seen:
    """Look every ``poll_s`` until something true is seen; return what was seen last, which is false after ``timeout_s``.

    ``pause(seconds)`` waits between two looks: a run's stop, for example, whose wait ends early.
    """
    end = time.monotonic() + timeout_s
    while not (seen := look()) and time.monotonic() < end:
        pause(poll_s)
    return seen


def until_clear(look: Callable[[], Seen], timeout_s: float, poll_s: float = POLL_S) -> Seen:
    """Look every ``poll_s`` until nothing is seen; return what was seen last, which is true after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while (seen := look()) and time.monotonic() < end:
        time.sleep(poll_s)
    return seen
