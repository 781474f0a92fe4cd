"""The way to a load pod's program: its stdin, stdout and stderr over one WebSocket through the API server, read a frame at a time."""

from __future__ import annotations

import os
import select
import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDIN_CHANNEL, STDOUT_CHANNEL
from websocket import ABNF, WebSocketException

from history.wire import Message, Messages
from kube.client import Platform
from runner.drivers.requests.load_pod import CONTAINER

FRAME_BYTES = 32_768
FRAME_S = 15.0  # for the rest of a frame that has begun
ATTACH_S = 15.0  # a kubelet may know of a running container a little later than it says so
PAUSE_S = 0.5


class Lost(Exception):
    """The pod's program is not heard any more; the text says how that was noticed."""


class Stream:
    """An attached program; one thread reads and writes."""

    def __init__(self, sock: Any) -> None:  # noqa: ANN401 - a websocket.WebSocket
        self._sock, self._messages = sock, Messages()
        self._sock.settimeout(FRAME_S)

    def send(self, data: bytes) -> None:
        """Write to the program's stdin. Raises Lost."""
        try:
            for start in range(0, len(data), FRAME_BYTES):
                self._sock.send(bytes([STDIN_CHANNEL]) + data[start : start + FRAME_BYTES], ABNF.OPCODE_BINARY)
        except (WebSocketException, OSError) as error:
            raise Lost(f"it cannot be told anything ({error})") from error

    def receive(self, wait_s: float, beside: TextIO | None = None) -> Iterator[tuple[Message, bytes]]:
        """Yield what came within ``wait_s``: messages of the program, and an ``origin`` for a line of ``beside``. Raises Lost."""
        sources = [self._sock.sock, *([beside] if beside is not None and not beside.closed else [])]
        pending = isinstance(self._sock.sock, ssl.SSLSocket) and self._sock.sock.pending()
        ready, _, _ = select.select(sources, [], [], 0 if pending else wait_s)
        if beside in ready and beside is not None:
            yield from _origin(beside)
        if pending or self._sock.sock in ready:
            yield from self._frame()

    def _frame(self) -> Iterator[tuple[Message, bytes]]:
        try:
            opcode, frame = self._sock.recv_data_frame(control_frame=True)
        except (WebSocketException, OSError) as error:
            raise Lost(f"the connection to it broke ({error})") from error
        if opcode == ABNF.OPCODE_CLOSE:
            raise Lost("it ended without an end mark")
        channel, data = (frame.data[0], frame.data[1:]) if opcode in {ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT} and frame.data else (-1, b"")
        if channel == STDOUT_CHANNEL:
            yield from self._messages.feed(data)
        elif channel == STDERR_CHANNEL:
            os.write(sys.stderr.fileno(), data)
        elif channel == ERROR_CHANNEL:
            raise Lost(f"it ended without an end mark: {data.decode(errors='replace')[:200]}")


def _origin(beside: TextIO) -> Iterator[tuple[Message, bytes]]:
    text = beside.readline().strip()
    if text:
        yield {"origin": int(text)}, b""
    else:
        beside.close()


def attach(platform: Platform, pod: str) -> Stream:
    """Attach to a load pod's program. Raises Lost: it cannot be attached to within 15 s."""
    api = client.CoreV1Api(client.ApiClient(platform.api.configuration))  # its own: stream() changes the client it uses
    until_s = time.monotonic() + ATTACH_S
    while True:
        try:
            session = stream(
                api.connect_get_namespaced_pod_attach, pod, platform.target.suite_namespace, container=CONTAINER,
                stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False, binary=True,
            )  # fmt: skip
        except (WebSocketException, ApiException, OSError) as error:
            if time.monotonic() > until_s:
                raise Lost(f"it cannot be attached to ({error})") from error
            time.sleep(PAUSE_S)
        else:
            return Stream(session.sock)
