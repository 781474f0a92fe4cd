"""Where requests go: an endpoint as the target file has it, and the path of the API beneath it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from history.errors import ConfigError
from history.workloads import Load

API_PATHS = {"completions": "/v1/completions", "chat": "/v1/chat/completions"}
VERSION = "/v1"
WANTED = "expected http[s]://host[:port][/path][?query]"
IN_PATH = "/%:@!$&'()*+,;=~-._"  # what a path may hold as it is, an escape included


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, taken from a URL ``http[s]://host[:port][/path][?query]``."""

    host: str
    port: int
    tls: bool
    path: str
    query: str = ""

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Parse ``url``; raises :class:`ConfigError` if it names no HTTP endpoint."""
        try:
            parts = urlsplit(url)
            tls, port = parts.scheme == "https", parts.port
        except ValueError as error:
            raise ConfigError(f"load.url {url!r} is not a URL ({error}); {WANTED}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
            raise ConfigError(f"load.url {url!r} names no HTTP endpoint; {WANTED}")
        return cls(parts.hostname, port or (443 if tls else 80), tls, quote(parts.path.rstrip("/"), IN_PATH), parts.query)

    @property
    def authority(self) -> str:
        """``host:port`` as in a Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def request_target(endpoint: Endpoint, load: Load, *, stream: bool) -> str:
    """Return path and query of a request.

    An endpoint that ends in ``/v1`` is an OpenAI base URL: the rest of the API's path is appended. One that ends in that rest is taken as
    written. To any other, the whole path is appended. A template's path is appended as it is. The endpoint's query is kept.

    Raises:
        ConfigError: the endpoint is one of the other API.

    """
    form = load.request
    if form.template is not None:
        own = (form.template.stream_path if stream else None) or form.template.path
        path, _, query = own.replace("{model}", quote(load.model, "")).partition("?")
        return _with_query(endpoint.path + path, endpoint.query, query)
    path = API_PATHS[form.api]
    for api, other in API_PATHS.items():
        if endpoint.path.endswith(other.removeprefix(VERSION)) and len(other) > len(path):
            raise ConfigError(f"endpoint {load.url} is one of api {api}, load.request.api is {form.api}; let both be the same")
    if endpoint.path.endswith(path.removeprefix(VERSION)):
        return _with_query(endpoint.path, endpoint.query)
    return _with_query(endpoint.path.removesuffix(VERSION) + path, endpoint.query)


def _with_query(path: str, *queries: str) -> str:
    query = "&".join(one for one in queries if one)
    return f"{path}?{query}" if query else path
