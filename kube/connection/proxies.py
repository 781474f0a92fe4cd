"""The way to the API server through a proxy, as kubectl goes it: ``proxy-url`` of the cluster, else HTTPS_PROXY and its kin.

``proxy-url`` holds for every server; a proxy of the environment not for those in NO_PROXY, and never for this machine itself.
kubernetes 37.0.1 lets NO_PROXY exempt from both, and sends no user and password of the proxy's URL.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3
from kubernetes import client

from kube.connection.errors import KubeconfigRefused
from target.secrets.known import remember

SCHEMES = ("http", "https", "socks5", "socks5h")


def set_proxy(made: client.Configuration, declared: object) -> None:
    """Let ``made``, which knows its host, go through ``declared`` (the key ``proxy-url``, or nothing: what the environment says).

    Raises KubeconfigRefused: it is no URL of a proxy, or what it takes is not installed.
    """
    if declared:
        made.proxy, made.no_proxy = str(declared), None
    elif is_here(urlsplit(made.host).hostname or ""):
        made.proxy = None
    if made.proxy and made.proxy.startswith("socks5:"):
        made.proxy = made.proxy.replace("socks5:", "socks5h:", 1)  # kubectl lets the proxy resolve names in any case
    if made.proxy:
        _check(made.proxy, "proxy-url of the cluster" if declared else "the environment's proxy")
        _show_user(made)


def is_here(host: str) -> bool:
    """Tell whether a host is this machine by name or address; Go's http.ProxyFromEnvironment asks the same."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _check(url: str, what: str) -> None:
    try:
        parts = urlsplit(url)
        found = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        found = False
    if not found:
        raise KubeconfigRefused(f"{what} is no URL of a proxy ({', '.join(f'{one}://' for one in SCHEMES)}HOST:PORT); correct it")
    if parts.scheme.startswith("socks"):
        try:
            import socks  # noqa: F401, PLC0415 - PySocks: few need it
        except ImportError:
            raise KubeconfigRefused(f"{what}: a SOCKS proxy takes the package PySocks, which is not installed; run make setup") from None


def _show_user(made: client.Configuration) -> None:
    """Send user and password of the proxy's URL as a header of their own, and take them out of the URL, which errors show."""
    parts = urlsplit(made.proxy or "")
    if not parts.username:
        return
    user, password = unquote(parts.username), unquote(parts.password or "")
    headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}")
    remember([password, headers["proxy-authorization"].partition(" ")[2]])
    if parts.scheme in {"http", "https"}:
        made.proxy, made.proxy_headers = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), headers
