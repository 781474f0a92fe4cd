"""A small completions service as another team may run it: ``python -m testing.platform.plain_service PORT`` in a plain Deployment.

OpenAI-style completions (plain and streamed), a health endpoint, and one gauge under vLLM's name. A right answer is a function of the
prompt alone, so that the load can tell a wrong one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testing.load.scripted_server import completion_of

TOKEN_S = 0.003
GAUGE = "vllm:num_requests_waiting"


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, request after request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(f"# TYPE {GAUGE} gauge\n{GAUGE} 0\n".encode(), "text/plain; version=0.0.4")
        else:
            self._send(b"ok\n", "text/plain")

    def do_POST(self) -> None:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = completion_of(asked["prompt"], asked["max_tokens"])
        if asked.get("stream"):
            self._stream(text)
            return
        time.sleep(TOKEN_S * len(text))
        answer = {"object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": "length"}]}
        self._send(json.dumps(answer | {"usage": {"completion_tokens": len(text)}}).encode(), "application/json")

    def _stream(self, text: str) -> None:
        self._head("text/event-stream", "transfer-encoding", "chunked")
        for token in text:
            time.sleep(TOKEN_S)
            self._chunk(b"data: " + json.dumps({"choices": [{"index": 0, "text": token}]}).encode() + b"\n\n")
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _head(self, kind: str, name: str, value: str) -> None:
        self.send_response(200)
        for key, text in (("content-type", kind), (name, value), ("x-pod", os.environ.get("HOSTNAME", ""))):
            self.send_header(key, text)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _send(self, body: bytes, kind: str) -> None:
        self._head(kind, "content-length", str(len(body)))
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: the load has its own record."""


class Server(ThreadingHTTPServer):
    """Keeps room for every connection of a burst."""

    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    server = Server(("", int(sys.argv[1])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
