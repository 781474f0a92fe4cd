"""A server of the standard library that answers in a thread, for as long as a test or a bench needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer

POLL_S = 0.01  # how often it looks whether it shall end
BACKLOG = 4096  # the library keeps 5 connections waiting, and a machine that stood still has more of them at once


@contextmanager
def answering(server: TCPServer) -> Iterator[None]:
    """Let ``server`` answer for the length of the block; after it neither its thread nor its socket is left."""
    server.socket.listen(BACKLOG)
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
