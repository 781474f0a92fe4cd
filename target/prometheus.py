"""The Prometheus of a region, as people write it: its URL and how it lets us in. Values of secrets stand in the environment or in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from history.request_form import ClientCert
from history.values import Written
from target.yaml_source import PROJECT, Keys

URL = r"^https?://[^/\s].*"
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]  # of the environment
Label = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _with_a_host(url: str) -> str:
    try:
        parts = urlsplit(url)
        found = parts.hostname and parts.port != 0
    except ValueError:
        found = False
    if not found:
        raise ValueError("it is no URL of a server: http[s]://HOST[:PORT][/PREFIX] is meant")
    return url


ServerUrl = Annotated[str, Field(pattern=URL), AfterValidator(_with_a_host)]


class Auth(Written):
    """How Prometheus lets the suite in: one of these ways."""

    bearer_env: Variable | None = None  # the variable that holds a token
    basic_env: Variable | None = None  # the variable that holds user:password
    token_file: str | None = Field(default=None, min_length=1)  # read again for each question: it may be rotated
    client_cert: ClientCert | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Auth:
        if len(ways := self.model_dump(exclude_none=True)) != 1:
            raise ValueError(f"one of bearer_env, basic_env, token_file, client_cert, found {', '.join(ways) or 'none'}")
        return self


class Header(Written):
    """The value of a header: a plain text, or ``{env: NAME}``."""

    value: str | None = None
    env: Variable | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_text(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        return data if isinstance(data, dict | Header) else {"value": data}

    @model_validator(mode="after")
    def _is_one(self) -> Header:
        if (self.value is None) == (self.env is None):
            raise ValueError("a header is a text, or {env: NAME}")
        return self


class Prometheus(Written):
    """Where to ask, and how."""

    url: ServerUrl
    auth: Auth | None = None
    headers: dict[str, Header] = Field(default_factory=dict)
    ca_file: str | None = None
    labels: dict[Label, str] = Field(default_factory=dict)  # that the suite's own queries ask for besides, such as {cluster: eu}

    def variables(self) -> Iterator[tuple[Keys, str]]:
        """Yield the environment variables that it needs, each with the keys that name it."""
        for name, header in self.headers.items():
            if header.env is not None:
                yield ("headers", name, "env"), header.env
        for way in ("bearer_env", "basic_env"):
            if self.auth is not None and (variable := getattr(self.auth, way)):
                yield ("auth", way), variable

    def files(self) -> Iterator[tuple[Keys, str]]:
        """Yield the files that it needs, each with the keys that name it."""
        if self.ca_file is not None:
            yield ("ca_file",), self.ca_file
        if self.auth is not None and self.auth.token_file is not None:
            yield ("auth", "token_file"), self.auth.token_file
        if self.auth is not None and self.auth.client_cert is not None:
            yield ("auth", "client_cert", "cert"), self.auth.client_cert.cert
            yield ("auth", "client_cert", "key"), self.auth.client_cert.key

    def lacking(self, environment: Mapping[str, str]) -> Iterator[tuple[Keys, str]]:
        """Yield what it needs and is not there (keys, sentence): variables of the environment, files."""
        for keys, name in self.variables():
            if not (value := value_of(name, environment)):
                yield keys, f"the environment variable {name} is not set; set it, or leave the key out"
            elif not value.isprintable():
                yield keys, f"the environment variable {name} holds a character that no header may have, such as a line break; set it again"
        for keys, path in self.files():
            if not (PROJECT / path).is_file():
                yield keys, f"{path} is not a file"

    def secrets(self, environment: Mapping[str, str]) -> list[str]:
        """Return the secret values that it sends, as far as they can be read: no message may show them."""
        values = [value_of(name, environment) for _, name in self.variables()]
        if self.auth is not None and self.auth.token_file is not None:
            with suppress(OSError, UnicodeDecodeError):
                values.append(Path(self.auth.token_file).read_text().strip())
        return [part for value in values for part in (value, value.partition(":")[2]) if part]

    def matchers(self) -> str:
        """Return its labels as PromQL matchers."""
        return matchers_of(self.labels)


def matchers_of(labels: Mapping[str, str]) -> str:
    """Return ``labels`` as PromQL matchers, without braces."""
    return ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())


def value_of(name: str, environment: Mapping[str, str]) -> str:
    """Return a variable's value, empty if it is not set. The line break with which a file ends is no part of a secret."""
    return environment.get(name, "").strip()


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
