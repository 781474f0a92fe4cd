"""Waiting for something that comes by itself, for so long and no longer."""

import time
from collections.abc import Callable
from typing import TypeVar

from cluster.errors import ClusterError
from cluster.host import pace

T = TypeVar("T")


def until_clear(obstacle: Callable[[], T], sentence: Callable[[T], str], timeout_s: float, pause_s: float = 0.1) -> None:
    """Ask for what is in the way until there is nothing (false); after `timeout_s` raise ClusterError with the sentence about it.

    Where the machine is said to be slower than usual, it waits as many times longer (cluster/host/pace.py).
    """
    deadline = time.monotonic() + pace.limit_s(timeout_s)
    while found := obstacle():
        if time.monotonic() > deadline:
            raise ClusterError(sentence(found) + pace.said())
        time.sleep(pause_s)
