"""Waiting for something that comes by itself, for so long and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

from cluster.errors import ClusterError

T = TypeVar("T")


def until_clear(obstacle: Callable[[], T], sentence: Callable[[T], str], timeout_s: float, pause_s: float = 0.1) -> None:
    """Ask for what is in the way until there is nothing (false); after `timeout_s` raise ClusterError with the sentence about it."""
    deadline = time.monotonic() + timeout_s
    while found := obstacle():
        if time.monotonic() > deadline:
            raise ClusterError(sentence(found))
        time.sleep(pause_s)
