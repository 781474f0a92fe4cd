"""The little HTTP that a scripted server speaks: a request read, an answer or a part of one written, a connection reset."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

POD: ContextVar[str] = ContextVar("pod", default=f"scripted-{os.getpid()}")
"""Which pod answers say they are of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    prompt: str
    max_tokens: int
    stream: bool
    path: str = ""
    request_id: str = ""  # as its header says


def bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    return sock


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """Read one request; ``None`` when the client has closed."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
    body: dict[str, Any] = json.loads(await reader.readexactly(length))
    _, _, after = head.lower().partition("x-request-id:")
    return Asked(body["prompt"], body["max_tokens"], body["stream"], head.split()[1], after.split("\r\n")[0].strip())


async def until_left(reader: asyncio.StreamReader) -> None:
    await reader.read()
    raise ConnectionAbortedError("the client gave up")


async def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: a linger time of 0 discards what is unsent and sends no FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionAbortedError("by script")


def completion(text: str) -> dict[str, Any]:
    return {
        "object": "text_completion",
        "choices": [{"index": 0, "text": text, "finish_reason": "length"}],
        "usage": {"completion_tokens": len(text)},
    }


def head(status: int, content_type: str, length: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{length}\r\nx-pod: {POD.get()}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def send(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    writer.write(head(status, "application/json", f"content-length: {len(body)}") + body)
    await writer.drain()
