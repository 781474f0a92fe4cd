"""WebSockets to the API server (exec, attach), opened with all that other requests are sent with.

kubernetes 37.0.1 opens them without the headers of impersonation, without a time limit, through no SOCKS proxy, and by another rule for
NO_PROXY than its requests; it offers no place to say otherwise, so its own way to open one is replaced.
"""

from __future__ import annotations

import socket
import ssl
from base64 import b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from kubernetes import client
from kubernetes.client.rest import is_socks_proxy_url, should_bypass_proxies
from kubernetes.stream import ws_client
from kubernetes.stream.ws_client import WSClient
from websocket import WebSocket

from kube.connection.configuration import Configured

__all__ = ["WSClient"]

CONNECT_S = 10.0
PROTOCOLS = f"{ws_client.V5_CHANNEL_PROTOCOL},{ws_client.V4_CHANNEL_PROTOCOL}"
HTTP = "http_proxy_host", "http_proxy_port", "http_no_proxy"
DIRECTLY: dict[str, Any] = dict(zip(HTTP, ("none", 1, ["*"]), strict=True))  # else the library looks for a proxy in the environment


def open_websocket(made: client.Configuration, url: str, headers: Mapping[str, str] | None = None, limit_s: float = CONNECT_S) -> WebSocket:
    """Return a WebSocket that is open within ``limit_s`` (s); what is read and written later has no limit yet.

    Raises WebSocketException, OSError.
    """
    sent = dict(headers or {})
    lines = [f"sec-websocket-protocol: {sent.get('sec-websocket-protocol', PROTOCOLS)}"]
    lines += [f"authorization: {sent['authorization']}"] if "authorization" in sent else []
    lines += [f"{name}: {value}" for name, value in (made.impersonation if isinstance(made, Configured) else ())]
    found: Any = WebSocket(sslopt=_tls(made) if url.startswith("wss:") else {}, skip_utf8_validation=False)
    found.connect(url, header=lines, timeout=limit_s, redirect_limit=0, **_way(made, url))  # nobody else gets the token
    found.settimeout(None)
    opened: WebSocket = found
    return opened


def _tls(made: client.Configuration) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=made.ssl_ca_cert)
    if not made.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if made.cert_file:
        context.load_cert_chain(made.cert_file, made.key_file)
    return {"context": context} | ({"server_hostname": made.tls_server_name} if made.tls_server_name else {})


def _way(made: client.Configuration, url: str) -> dict[str, Any]:
    """Return how the server is reached, in websocket-client's words."""
    if not made.proxy or should_bypass_proxies(made.host, made.no_proxy or ""):
        return DIRECTLY
    if is_socks_proxy_url(made.proxy):
        return DIRECTLY | {"socket": _through_socks(made, url)}
    proxy = urlsplit(made.proxy)
    shown = (made.proxy_headers or {}).get("proxy-authorization", "").partition(" ")[2]
    return dict(zip(HTTP, (proxy.hostname, proxy.port or 80, ["nobody.invalid"]), strict=True)) | (
        {"http_proxy_auth": _pair(shown)} if shown else {}
    )


def _pair(encoded: str) -> tuple[str, str]:
    user, _, password = b64decode(encoded).decode().partition(":")
    return user, password


def _through_socks(made: client.Configuration, url: str) -> socket.socket:
    """Return a connection to the server of ``url``, through the SOCKS proxy, with TLS where the URL says so."""
    import socks  # noqa: PLC0415 - PySocks: set_proxy has refused what lacks it

    proxy, server = urlsplit(made.proxy or ""), urlsplit(url)
    secure = server.scheme == "wss"
    there = (server.hostname, server.port or (443 if secure else 80))
    found: socket.socket = socks.create_connection(
        there, CONNECT_S, None, socks.SOCKS5, proxy.hostname, proxy.port or 1080, True,
        unquote(proxy.username or "") or None, unquote(proxy.password or "") or None,
    )  # fmt: skip
    if not secure:
        return found
    tls = _tls(made)
    wrapped: socket.socket = tls["context"].wrap_socket(found, server_hostname=tls.get("server_hostname") or server.hostname)
    return wrapped


ws_client.create_websocket = open_websocket
