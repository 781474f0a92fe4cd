"""A service on this machine that answers what it is told: somebody whom an experiment must not hurt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Bystander(ThreadingHTTPServer):
    """``status`` is what it answers from now on."""

    status = 200

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.server_port}/"

    def end(self) -> None:
        """Be gone: connections are refused from now on."""
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    """Answers every GET with its server's status."""

    server: Bystander

    def do_GET(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def bystander() -> Iterator[Bystander]:
    """Serve for the length of the block."""
    made = Bystander(("127.0.0.1", 0), Answer)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.end()
