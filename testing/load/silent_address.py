"""An address that drops what it is sent, as a lost host does: a listener whose queue is full, so that the kernel drops every SYN."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

QUIET_S = 0.2  # who is not let in by then meets a full queue
MOST = 64


@contextmanager
def silent_address(host: str, port: int = 0) -> Iterator[int]:
    """Let connections to ``host`` (of loopback) and the port that is given go unanswered, until the block ends.

    Raises:
        OSError: the kernel let 64 connections in although nobody accepts them.

    """
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.bind((host, port))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(MOST):
            filling = stack.enter_context(closing(socket.socket()))
            filling.settimeout(QUIET_S)
            try:
                filling.connect(address)
            except TimeoutError:
                yield int(address[1])
                return
        raise OSError(f"{address[0]}:{address[1]} took {MOST} connections into a queue of none")
