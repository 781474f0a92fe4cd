"""A model server on loopback whose first path segment names how it behaves: each API that real ones have, and what stands in their place.

In this process, by gevent. It keeps what it was asked (:class:`Asked`), so that a test sees what really went over the wire.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gevent
import gevent.server
import gevent.ssl

KEY = "k3y-of-the-gateway"
MODEL = "m"
PAGE = b"<!doctype html><html><head><title>Sign in</title></head></html>"
HTTP2 = b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 7 + b"\x01"  # SETTINGS, then GOAWAY
CHAT, COMPLETIONS = "/chat/completions", "/completions"


class Asked(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def path(self) -> str:
        """The path beneath the behaviour's name."""
        return "/" + self.target.partition("?")[0].split("/", 2)[2]

    @property
    def chat(self) -> bool:
        """Whether the chat API is asked."""
        return self.path.endswith(CHAT)


@dataclass
class ApiServer:
    """Where it listens (``http[s]://127.0.0.1:PORT``), and what it was asked so far."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


def json_answer(answer: object, status: int = 200, *more: str) -> bytes:
    return bytes_answer(json.dumps(answer).encode(), status, "content-type: application/json", *more)


def bytes_answer(body: bytes, status: int, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status} X", *headers, "connection: close", f"content-length: {len(body)}"])
    return head.encode() + b"\r\n\r\n" + body


def events(*parts: object, done: bool = True) -> bytes:
    """Return a whole stream of server-sent events."""
    data = [part if isinstance(part, bytes) else b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts]
    body = b"".join([*data, b"data: [DONE]\n\n" if done else b""])
    head = b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def served(asked: Asked) -> bytes:
    """Answer as the API of the path does: completions, chat, or Triton's generate."""
    if asked.path.endswith(("/generate", "/generate_stream")):
        said = [{"model_name": MODEL, "text_output": token} for token in ("al", "so")]
        return events(*said, done=False) if asked.path.endswith("stream") else json_answer({"text_output": "also"})
    if not asked.path.endswith(COMPLETIONS):
        return missing(asked)
    stream, last = bool(asked.body["stream"]), {"index": 0, "finish_reason": "length"}
    if not asked.chat:
        whole = {"choices": [last | {"text": "fine"}], "usage": {"completion_tokens": asked.body["max_tokens"]}}
        return events({"choices": [{"index": 0, "text": "fi"}]}, {"choices": [last | {"text": "ne"}]}) if stream else json_answer(whole)
    if stream:
        deltas = [{"role": "assistant", "content": ""}, {"reasoning_content": "hm"}, {"content": "fine"}]
        return events(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas), {"choices": [last | {"delta": {}}]})
    return json_answer({"choices": [last | {"message": {"role": "assistant", "content": "fine"}}]})


def missing(_asked: Asked) -> bytes:
    return json_answer({"detail": "Not Found"}, 404)


def wrong_model(asked: Asked) -> bytes:
    if asked.body["model"] == MODEL:
        return served(asked)
    return json_answer({"object": "error", "message": f"The model `{asked.body['model']}` does not exist.", "code": 404}, 404)


def locked(asked: Asked) -> bytes:
    """Let in who shows the key in a header of the gateway's own; quote what was sent, as careless servers do."""
    if asked.headers.get("api-key") == KEY:
        return served(asked)
    shown = asked.headers.get("authorization") or asked.headers.get("api-key", "nothing")
    return json_answer({"error": {"message": f"Access denied due to invalid subscription key: {shown}"}}, 401)


def silent(asked: Asked) -> bytes | None:
    """Never a token: a stream of comments, or nothing."""
    return None if not asked.body["stream"] else events(b": ping\n\n", done=False)[: -len(b"0\r\n\r\n")]


BEHAVIOURS: dict[str, Callable[[Asked], bytes | None]] = {
    "ok": served,
    "elsewhere": missing,
    "chat_only": lambda asked: served(asked) if asked.chat else missing(asked),
    "completions_only": lambda asked: missing(asked) if asked.chat else served(asked),
    "chat_shape": lambda asked: served(asked._replace(target=asked.target.replace("/v1/completions", "/v1/chat/completions"))),
    "wrong_model": wrong_model,
    "locked": locked,
    "moved": lambda _: bytes_answer(b"", 307, "location: https://llm.example.org/v1/completions"),
    "gzip": lambda _: bytes_answer(gzip.compress(b'{"choices": [{"text": "fine"}]}'), 200, "content-encoding: gzip"),
    "http2": lambda _: HTTP2,
    "login": lambda _: bytes_answer(PAGE, 200, "content-type: text/html"),
    "silent": silent,
    "empty": lambda asked: events() if asked.body["stream"] else json_answer({"choices": [{"text": "", "finish_reason": "stop"}]}),
    "overloaded": lambda _: json_answer({"error": {"message": "Rate limit reached"}}, 429, "retry-after: 1"),
}
"""What each behaviour answers; ``None``: nothing, until the client is gone. Who answers half an answer holds its connection open."""
HELD = frozenset({"silent"})


@contextmanager
def api_server(certificate: Path | None = None, *, clients: bool = False, alpn: str = "") -> Iterator[ApiServer]:
    """Serve until the block ends.

    With a ``certificate`` (PEM, its key beside it), over TLS: ``clients`` must show it as their own, ``alpn`` is all that is spoken.
    """
    made = ApiServer()
    context = None if certificate is None else _context(certificate, clients, alpn)

    def converse(sock: Any, _address: object) -> None:
        try:
            if context is not None:
                sock = context.wrap_socket(sock, server_side=True)
            asked = read(sock)
            if asked is None:
                sock.sendall(bytes_answer(b"", 400))
                return
            made.asked.append(asked)
            name = asked.target.split("/")[1]
            sock.sendall(BEHAVIOURS[name](asked) or b"")
            while name in HELD and sock.recv(65_536):
                pass
        except OSError:
            pass  # the client left, or trusts nobody here
        finally:
            sock.close()

    server = gevent.server.StreamServer(("127.0.0.1", 0), converse)
    server.start()
    made.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        server.stop(timeout=0)


def key_of(certificate: Path) -> Path:
    return certificate.with_name(f"{certificate.stem}-key.pem")


def _context(certificate: Path, clients: bool, alpn: str) -> Any:
    context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key_of(certificate))
    if clients:
        context.verify_mode = gevent.ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


def read(sock: Any) -> Asked | None:
    """Read one request; ``None`` if what came is none, or the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := sock.recv(65_536)):
            return None
        data += more
        if not re.match(rb"[A-Z]", data):
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += sock.recv(65_536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, json.loads(body))
