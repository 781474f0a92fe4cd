"""Waiting for a state, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_S = 0.1


def until(condition: Callable[[], bool], timeout_s: float, poll_s: float = POLL_S) -> bool:
    """Wait until ``condition`` holds; return False if it did not within ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(poll_s)
    return True
