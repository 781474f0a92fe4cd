"""A WebSocket to the API server that is bounded in time from its handshake on: what exec and port-forward speak.

The library's own (:mod:`kubernetes.stream`) waits for the handshake without a limit, and a node that is silent never ends it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.stream.ws_client import get_websocket_url, websocket_proxycare
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from kube.client import Platform

CHANNELS = "v4.channel.k8s.io"  # the first byte of each message is its channel
OWN_HEADERS = {"accept", "content-type"}  # of the library, for JSON


def open_websocket(platform: Platform, path: str, query: list[tuple[str, str]], limit_s: float) -> WebSocket:
    """Return an open WebSocket at ``path`` of the API server, each of whose reads and writes ends within ``limit_s`` (s).

    Raises:
        ApiException: the API server refuses; with status 0: nobody answers in time, or no WebSocket comes about.

    """
    _, url, headers, *_ = platform.api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"])
    configuration = platform.api.configuration
    socket = WebSocket(sslopt=_tls(configuration), skip_utf8_validation=True)
    socket.settimeout(limit_s)
    options: dict[str, Any] = {"header": [f"{name}: {value}" for name, value in headers.items() if name.lower() not in OWN_HEADERS]}
    if configuration.proxy or configuration.proxy_headers:
        options = websocket_proxycare(options, configuration, url, headers)
    try:
        socket.connect(get_websocket_url(url), subprotocols=[CHANNELS], redirect_limit=0, **options)  # nobody else gets the token
    except WebSocketBadStatusException as error:
        raise _refusal(error) from error
    except (WebSocketException, OSError) as error:
        raise ApiException(status=0, reason=f"no WebSocket within {limit_s:g} s: {error}") from error
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


def _tls(configuration: Any) -> dict[str, Any]:  # noqa: ANN401 - the library's own is untyped
    """Return how the WebSocket's TLS is set up: as the other requests of this configuration."""
    made: dict[str, Any] = {"certfile": configuration.cert_file, "keyfile": configuration.key_file}
    if configuration.verify_ssl:
        made |= {"ca_certs": configuration.ssl_ca_cert, "check_hostname": configuration.assert_hostname}
    else:
        made |= {"cert_reqs": 0, "check_hostname": False}
    made |= {"server_hostname": configuration.tls_server_name}
    return {key: value for key, value in made.items() if value is not None}


def _refusal(error: WebSocketBadStatusException) -> ApiException:
    made = ApiException(status=error.status_code, reason=f"HTTP {error.status_code}, no WebSocket")
    body = error.resp_body
    made.body = body.decode(errors="replace") if isinstance(body, bytes) else body
    return made
