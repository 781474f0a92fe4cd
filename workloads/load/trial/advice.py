"""What to change, by what came in place of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable

import gevent
import gevent.socket
import gevent.ssl

from history.workloads import Load
from workloads.load.wire.endpoint import Endpoint

HANDSHAKE_S = 5.0


def advice(load: Load, endpoint: Endpoint, error: str) -> str:
    """Return what to change in the target file, or at the server, after a request ended in ``error``."""
    return next(says(load, endpoint) for pattern, says in BY_ERROR if re.search(pattern, error))


def _credential(load: Load, _endpoint: Endpoint) -> str:
    names = ", ".join(load.variables())
    if not names:
        return "no credential was sent: name one in load.api_key_env or load.request.auth"
    return f"the credential of {names} was sent: is it the right one, in the right header (load.request.auth)?"


def _closed(load: Load, endpoint: Endpoint) -> str:
    if not endpoint.tls and speaks_tls(endpoint):
        return "the server speaks TLS there: write https:// in the endpoint"
    return _reach(load, endpoint)


def _reach(_load: Load, endpoint: Endpoint) -> str:
    return f"is {endpoint.authority} the address that users ask? See the target's endpoints"


def _silent(load: Load, _endpoint: Endpoint) -> str:
    return f"is the model loaded, and is load.timeout ({load.timeout_s:g} s) long enough for {_most(load)} tokens?"


def _model(load: Load, _endpoint: Endpoint) -> str:
    return f"load.model is {load.model!r}: name one that the server has, as it calls it"


def _form(load: Load, _endpoint: Endpoint) -> str:
    return f"load.request.api is {load.request.api}: is that what the server offers at this path? See also load.model and mix"


def _says(text: str) -> Callable[[Load, Endpoint], str]:
    return lambda _load, _endpoint: text


def _most(load: Load) -> int:
    return max(mix.max_tokens[1] for mix in load.mix)


BY_ERROR: tuple[tuple[str, Callable[[Load, Endpoint], str]], ...] = (
    (r"^HTTP 3", _says("the load follows no redirect: write the address that it names as the endpoint")),
    (r"^HTTP (401|403|407)", _credential),
    (r"(?i)^HTTP 4(00|04|22): .*\bmodel\b", _model),
    (r"^HTTP 4(00|04|05|15|22)|^HTTP 501", _form),
    (
        r"(?i)<(!doctype|html)",
        _says("that is a page and no answer, say one to log in: write the model server's own address, or a credential"),
    ),
    (r"^Encoded", _says("let the server, or what is in front of it, send answers as they are (accept-encoding: identity)")),
    (r"HTTP/2 alone|APPLICATION_PROTOCOL", _says("the load speaks HTTP/1.1: let the server offer it as well")),
    (r"^NotHttp: the server speaks TLS", _says("write https:// in the endpoint")),
    (
        r"(?i)CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|bad_certificate",
        _says("the server wants a certificate of its own kind: load.client_cert"),
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        _says("name the PEM file of the server's authority in load.ca_file, and its own host name in the endpoint"),
    ),
    (
        r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|PACKET_LENGTH",
        _says("the server speaks plain HTTP there: write http:// in the endpoint"),
    ),
    (r"^SSL", _says("the handshake failed: does the server speak TLS there? Compare the endpoint's http:// or https://")),
    (r"^(ConnectionClosed|ConnectionReset|BrokenPipe|NotHttp)", _closed),
    (
        r"and the server counted",
        _says("the server hides all of it, as it does with reasoning: ask for more tokens, or for an answer without"),
    ),
    (
        r"ended without \[DONE\]",
        _says("does something cut it? For a server that never says [DONE]: load.request.api own, whose template has stream_end: close"),
    ),
    (r"^(Timeout|EmptyAnswer)|is no string|no answer in it|Truncated|Unfinished|finish_reason", _silent),
    (r"^(BadAnswer|ErrorAnswer|StreamError)", _form),
    (r"^HTTP (429|5)", _says("the server itself says that it cannot serve now: repair it, or offer it less")),
    (r"", _reach),
)
"""What to say for an error, by the first pattern that is found in it."""


def speaks_tls(endpoint: Endpoint) -> bool:
    """Tell whether the server answers a TLS handshake; who it is does not matter here."""
    context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, gevent.ssl.CERT_NONE
    with gevent.Timeout(HANDSHAKE_S, False):  # no exception at its end
        try:
            plain = gevent.socket.create_connection((endpoint.host, endpoint.port))
            with context.wrap_socket(plain, do_handshake_on_connect=False) as tls:
                tls.do_handshake()
                return True
        except OSError:
            return False
    return False
