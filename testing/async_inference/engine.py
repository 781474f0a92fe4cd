"""An engine that answers as it is told: at once, never, or with another status. It counts how often it was asked for each job."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answering = Callable[[str, dict[str, object]], int]
"""From a job's id and its request to the status of the answer; it may take its time."""


def at_once(_job: str, _request: dict[str, object]) -> int:
    """Answer everybody."""
    return 200


def gone(_job: str, _request: dict[str, object]) -> int:
    """Answer as a gateway without a replica."""
    return 503


class Engine(ThreadingHTTPServer):
    """``answering`` may be changed at any time; ``asked`` counts by job."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answering: Answering = at_once
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Engine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        job = self.headers["x-request-id"]
        self.server.asked[job] += 1
        status = self.server.answering(job, request)
        body = json.dumps({"choices": [{"text": f"answer to {request.get('prompt')}"}]} if status == 200 else {"error": status}).encode()
        try:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # who asked was killed
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def engine() -> Iterator[Engine]:
    """Serve an engine while inside."""
    with Engine() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
