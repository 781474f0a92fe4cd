"""Where requests go and how they say who sends them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from history.errors import ConfigError
from history.workloads import Load


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, taken from a URL ``http[s]://host[:port][/prefix]``."""

    host: str
    port: int
    tls: bool
    prefix: str

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Parse ``url``; raises :class:`ConfigError` if it names no HTTP endpoint."""
        try:
            parts = urlsplit(url)
            tls, port = parts.scheme == "https", parts.port
        except ValueError as error:
            raise ConfigError(f"load.url {url!r} is not a URL ({error}); expected http[s]://host[:port][/prefix]") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"load.url {url!r} names no HTTP endpoint; expected http[s]://host[:port][/prefix]")
        return cls(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """``host:port`` as in a Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def api_key(load: Load) -> str | None:
    """Return the API key from the variable that the plan names; raises :class:`ConfigError` if it is not set."""
    if load.api_key_env is None:
        return None
    key = os.environ.get(load.api_key_env, "").strip()
    if not key:
        raise ConfigError(f"environment variable {load.api_key_env} (load.api_key_env) is not set; export it before the run")
    return key


def request_head(endpoint: Endpoint, headers: dict[str, str], api_key: str | None) -> bytes:
    """Return the request line and the headers that all requests share; the plan's own headers win over ours, the key over both.

    Raises:
        ConfigError: a header holds a line break, which would end the headers or forge another.

    """
    fields = {"host": endpoint.authority, "content-type": "application/json", "accept": "*/*", "user-agent": "aftershock-load"}
    fields |= {name.lower(): value for name, value in headers.items()}
    if api_key:
        fields["authorization"] = f"Bearer {api_key}"
    if broken := [name for name, value in fields.items() if {"\r", "\n"} & set(name + value)]:
        raise ConfigError(f"header {broken[0]!r} holds a line break; remove it from load.headers or from the API key's variable")
    lines = [f"POST {endpoint.prefix}/v1/completions HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), ""]
    return "\r\n".join(lines).encode()
