"""A WebSocket to the API server that is bounded in time from its handshake on: what exec and port-forward speak.

The library's own (:mod:`kubernetes.stream`) waits for the handshake without a limit, and a node that is silent never ends it.
"""

from __future__ import annotations

import time
from contextlib import suppress

from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import get_websocket_url
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from kube.client import Platform
from kube.connection.websocket import open_websocket

CHANNELS = "v4.channel.k8s.io"  # the first byte of each message is its channel


def open_channels(platform: Platform, path: str, query: list[tuple[str, str]], limit_s: float) -> WebSocket:
    """Return an open WebSocket at ``path`` of the API server, each of whose reads and writes ends within ``limit_s`` (s).

    Raises:
        ApiException: the API server refuses; with status 0: nobody answers in time, or no WebSocket comes about.

    """
    _, url, headers, *_ = platform.api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"])
    try:
        socket = open_websocket(platform.api.configuration, get_websocket_url(url), headers | {"sec-websocket-protocol": CHANNELS}, limit_s)
    except WebSocketBadStatusException as error:
        raise _refusal(error) from error
    except (WebSocketException, OSError) as error:
        raise ApiException(status=0, reason=f"no WebSocket within {limit_s:g} s: {error}") from error
    socket.settimeout(limit_s)
    return socket


def read_channels(socket: WebSocket, limit_s: float) -> dict[int, bytes]:
    """Return what each channel said until the other side closed, or ``limit_s`` seconds were over. The socket is closed then."""
    said: dict[int, bytes] = {}
    end_s = time.monotonic() + limit_s
    with suppress(WebSocketException, OSError):
        while (left_s := end_s - time.monotonic()) > 0:
            socket.settimeout(left_s)
            code, message = socket.recv_data()
            if code == ABNF.OPCODE_CLOSE:
                break
            if message:
                said[message[0]] = said.get(message[0], b"") + message[1:]
    socket.shutdown()  # close() would wait for the other side's goodbye
    return said


def _refusal(error: WebSocketBadStatusException) -> ApiException:
    made = ApiException(status=error.status_code, reason=f"HTTP {error.status_code}, no WebSocket")
    body = error.resp_body
    made.body = body.decode(errors="replace") if isinstance(body, bytes) else body
    return made
