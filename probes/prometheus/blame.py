"""Who is at fault where Prometheus gives no answer: the network, TLS, a proxy, a gateway, a credential, the path of its URL, or itself."""

from __future__ import annotations

from http import HTTPStatus

import requests

from target.prometheus import Prometheus

FIRST = 160  # characters of a foreign answer that are shown
LETS_IN = "does not let the suite in; see its auth and headers in the target file (a gateway of many tenants wants X-Scope-OrgID)"
CLIENT = "wants a client's certificate that it trusts; write auth: {client_cert: {cert: …, key: …}}, or correct it"
OF_TLS = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        "shows a certificate that is not trusted here; write its CA's file as ca_file, or correct the host in url",
    ),
    ("CERTIFICATE_REQUIRED", CLIENT),
    ("BAD_CERTIFICATE", CLIENT),
    ("ALERT_UNKNOWN_CA", CLIENT),
    ("WRONG_VERSION_NUMBER", "speaks no TLS there; write url with http://"),
    ("RECORD_LAYER_FAILURE", "speaks no TLS there; write url with http://"),
)
"""Words of an error of OpenSSL -> what it means."""


def of_error(error: Exception, declared: Prometheus) -> str:
    """Return what a request that got no answer means."""
    said = _short(f"{type(error).__name__}: {error}")
    if isinstance(error, requests.exceptions.ProxyError):
        return f"is not reached through the proxy that HTTP_PROXY or HTTPS_PROXY names; correct it, or exempt the host by NO_PROXY ({said})"
    tls = next((what for words, what in OF_TLS if words in str(error).upper().replace(" ", "_")), "")
    if tls:
        return f"{tls} ({said})"
    if isinstance(error, requests.exceptions.Timeout):
        return f"does not answer in time; is it up, and reachable from this machine? ({said})"
    if "NameResolutionError" in repr(error) or "Failed to resolve" in str(error):
        return f"has a name that this machine does not know; correct url ({said})"
    if isinstance(error, requests.RequestException):
        return f"does not answer; is it up, and reachable from this machine? ({said})"
    return f"was not asked: a file that {declared.url} needs is not read; see ca_file and auth ({said})"


def of_status(heard: requests.Response) -> str:
    """Return what a status means that is no answer to a question; empty: the body says more."""
    status = heard.status_code
    if 300 <= status < 400:
        to = heard.headers.get("Location", "nowhere")
        return (
            f"leads elsewhere (HTTP {status}, Location {_short(to)}), which is not followed; write the url to which it leads, or its auth"
        )
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return f"answers HTTP {status}: {words_of(heard)}: it {LETS_IN}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return f"answers HTTP {status}: {words_of(heard)}: it, or a gateway before it, limits how often it may be asked; raise that limit"
    if status == HTTPStatus.NOT_FOUND:
        return (
            f"answers HTTP {status}: {words_of(heard)}: its API is not at this path; write url with its path's prefix, such as /prometheus"
        )
    return ""


def words_of(heard: requests.Response) -> str:
    """Return the beginning of an answer, in one line; of a page only that it is one."""
    if "html" in heard.headers.get("Content-Type", "") or heard.content.lstrip()[:1] == b"<":
        return "a page"
    return _short(" ".join(heard.text.split())) or "nothing"


def _short(text: str) -> str:
    return text if len(text) <= FIRST else f"{text[:FIRST]}…"
