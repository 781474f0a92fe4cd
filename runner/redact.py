"""Takes secrets out of everything that a run writes or says: by name, by shape, and by the values that this process knows.

Known values are those of its environment under secret names, and the credentials of its kubeconfig (:func:`remember`). Events, messages,
journal, log, diagnostics and tracebacks are redacted. Names and shapes stand in :mod:`target.credentials`.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from target import credentials

Value = TypeVar("Value")
HIDDEN = "[redacted]"
SHORTEST = 8  # a shorter value is no secret, and would be found in ordinary words
KUBECONFIG_KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "access-token")
_known: set[str] = set()


def remember(secrets: Iterable[str]) -> None:
    """Hide these values from now on, wherever they stand; values shorter than 8 characters are passed over."""
    _known.update(secret for secret in secrets if len(secret) >= SHORTEST)


def of_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the values of an environment under secret names."""
    return [value for name, value in environment.items() if credentials.NAME.search(name)]


def of_kubeconfig(path: str | None) -> list[str]:
    """Return the credentials of a kubeconfig, also as they stand decoded; none if it cannot be read."""
    try:
        raw: Any = yaml.safe_load(Path(path or "~/.kube/config").expanduser().read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return []
    encoded = list(_under(raw, KUBECONFIG_KEYS))
    return encoded + [plain for text in encoded if (plain := _decoded(text))]


def _under(value: object, keys: tuple[str, ...]) -> Iterable[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key in keys and isinstance(part, str):
                yield part
            yield from _under(part, keys)
    elif isinstance(value, list):
        for part in value:
            yield from _under(part, keys)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


class Redacted(logging.Formatter):
    """A formatter whose lines hold no secret."""

    def format(self, record: logging.LogRecord) -> str:
        """Format as usual, then redact."""
        return redact_text(super().format(record))


def redact_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Hide what looks like a credential, every one of ``secrets``, and what this process knows."""
    for secret in (*secrets, *_known):
        text = text.replace(secret, HIDDEN) if secret else text
    for shape in credentials.SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text


def redact_object(value: Value, secrets: tuple[str, ...] = ()) -> Value:
    """Hide values under secret names (``{name, value}`` pairs of a container's environment too), and text that looks secret."""
    return cast("Value", _redacted(value, secrets))


def _redacted(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, dict):
        named = credentials.NAME.search(str(value.get("name", ""))) and isinstance(value.get("value"), str)
        return {key: HIDDEN if _hides(key, part, named=bool(named)) else _redacted(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part, secrets) for part in value]
    return redact_text(value, secrets) if isinstance(value, str) else value


def _hides(key: str, value: object, *, named: bool) -> bool:
    return isinstance(value, str) and bool(value) and ((named and key == "value") or bool(credentials.NAME.search(key)))
