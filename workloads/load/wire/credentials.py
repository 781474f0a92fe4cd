"""How the load is let in: headers whose values are in the environment, and a certificate of its own."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import gevent.ssl

from history.errors import ConfigError
from history.workloads import Load
from workloads.load.wire.endpoint import Endpoint

SCHEME = re.compile(r"(?i)^(bearer|basic|token|apikey|api-key|key) +(?=.)")


def credential_headers(load: Load, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the headers (names in lower case) whose values the environment has; raises :class:`ConfigError` if a variable is not set."""
    values = {}
    for name, key in load.variables().items():
        values[name] = environment.get(name, "").strip()
        if not values[name]:
            raise ConfigError(f"environment variable {name} ({key}) is not set; export it before the run")
    headers = {"authorization": f"Bearer {values[load.api_key_env]}"} if load.api_key_env else {}
    return headers | {one.header.lower(): values[one.env] for one in load.request.auth}


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what must not be shown of credentials, the longest first: of ``Bearer KEY`` and its like the key, else the whole value."""
    return tuple(sorted({SCHEME.sub("", value) for value in headers.values()}, key=len, reverse=True))


def tls_context(endpoint: Endpoint, load: Load) -> ssl.SSLContext | None:
    """Return how TLS is spoken to ``endpoint``, ``None`` if it is not.

    Raises:
        ConfigError: a certificate or its key is not there, or cannot be used.

    """
    for path, key in load.files().items():
        if not Path(path).is_file():
            raise ConfigError(f"{key} {path} is not a file; name a PEM file")
    if not endpoint.tls:
        if load.client_cert is not None:
            raise ConfigError(f"load.client_cert shows a certificate, which {load.url} never asks for; write https:// or leave it out")
        return None
    context: ssl.SSLContext = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_CLIENT)  # the standard one's sockets do not yield to the loop
    if load.ca_file is None:
        context.load_default_certs()
        return _showing(context, load)
    try:
        context.load_verify_locations(load.ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"load.ca_file {load.ca_file} holds no certificate ({error.reason}); name a PEM file of the CA") from error
    return _showing(context, load)


def _showing(context: ssl.SSLContext, load: Load) -> ssl.SSLContext:
    """Return ``context`` with the load's own certificate, if it has one. Raises ConfigError."""
    if load.client_cert is not None:
        try:
            context.load_cert_chain(load.client_cert.cert, load.client_cert.key, password=_no_password)
        except ssl.SSLError as error:
            pair = f"{load.client_cert.cert} and {load.client_cert.key}"
            raise ConfigError(f"load.client_cert: {pair} cannot be used ({error.reason}); name a certificate and its own key") from error
    return context


def _no_password() -> NoReturn:
    raise ConfigError("load.client_cert.key is encrypted, and nobody is there to type its password; name a key without one")
