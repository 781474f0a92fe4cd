"""Real HTTP servers on loopback in the place of those that a session tells how it ended: they demand what the documented APIs demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``body`` is what its JSON says, None if it is no JSON."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Says:
    """What a server answers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Receiver(ThreadingHTTPServer):
    """Keeps what it was asked; ``url`` is where it is. A receiver without an answer sends a byte now and then, and never ends."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], Says] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.seen: list[Asked] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        asked = Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, _read(raw))
        self.server.seen.append(asked)
        if self.server.answer is None:
            self._never_end()
            return
        said = self.server.answer(asked)
        self.send_response(said.status)
        for name, value in ({"content-length": str(len(said.body))} | said.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.body)

    def _never_end(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
        while not self.server.released.wait(0.02):
            try:
                self.wfile.write(b".")
            except OSError:
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


@contextmanager
def receiving(answer: Callable[[Asked], Says] | None) -> Iterator[Receiver]:
    """Run a receiver; its address is free again afterwards."""
    with Receiver(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()


def chat(asked: Asked) -> Says:
    """Answer as an incoming webhook of Mattermost: a JSON with a ``text``, or HTTP 400."""
    told = asked.body if isinstance(asked.body, dict) else {}
    if asked.headers.get("content-type") != "application/json" or not isinstance(told.get("text"), str) or not told["text"]:
        return Says(400, b'{"message": "No text specified", "status_code": 400}')
    return Says(200, b"ok", {"content-type": "text/plain"})


def grafana(token: str) -> Callable[[Asked], Says]:
    """Return what answers as Grafana's annotations API: a token, ``text``, times in ms as whole numbers, tags, one dashboard and panel."""

    def answer(asked: Asked) -> Says:
        if asked.path != "/api/annotations":
            return _json(404, "Not found")
        if asked.headers.get("authorization") != f"Bearer {token}":
            return _json(401, "Invalid API key")
        if asked.headers.get("content-type") != "application/json" or not isinstance(asked.body, dict):
            return _json(400, "bad request data")
        return _json(400, "bad request data") if _wrong(asked.body) else _json(200, "Annotation added", id=1)

    return answer


def _wrong(told: dict[str, Any]) -> list[str]:
    """Return the fields that are not what the API documents; one that it does not know is one of them."""
    kinds = {"dashboardUID": str, "panelId": int, "time": int, "timeEnd": int, "tags": list, "text": str}
    wrong = [name for name, value in told.items() if type(value) is not kinds.get(name)]
    wrong += [name for name in ("time", "timeEnd") if name in told and not 10**12 < told[name] < 10**13]  # ms, not seconds
    wrong += ["tags"] if not all(isinstance(tag, str) for tag in told.get("tags", [])) else []
    return wrong + ([] if told.get("text") else ["text"])


def _json(status: int, message: str, **more: object) -> Says:
    return Says(status, json.dumps({"message": message} | more).encode(), {"content-type": "application/json"})
