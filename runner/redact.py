"""Taking secrets out of everything that a run writes or says: by their names, by their shapes, and those that this process knows.

A process knows the values of its environment under names that sound secret, and the credentials of its kubeconfig
(:func:`remember`). Everything passes here on its way out: events, messages, journal, log, scene, tracebacks.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

HIDDEN = "[redacted]"
NAMES = re.compile(r"(?i)(pass(word|wd)?|secret|token|api[-_]?key|access[-_]?key|credential|private[-_]?key|authorization|dsn)")
PATTERNS = (
    re.compile(r"(?i)((?:pass(?:word|wd)?|secret|token|api[-_]?key|access[-_]?key|credentials?)[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&}]+)"),
    re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)\s+)([^\s\"',;]+)"),
    re.compile(r"(://[^/\s:@]*:)([^@\s/]+)(?=@)"),
    re.compile(r"()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(r"()\b(AKIA[0-9A-Z]{12,})"),
)


SHORTEST = 8  # a shorter value is no secret, and would be found in ordinary words
KUBECONFIG_KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "access-token")
_known: set[str] = set()


def remember(secrets: Iterable[str]) -> None:
    """Hide these values from now on, wherever they stand; values shorter than 8 characters are passed over."""
    _known.update(secret for secret in secrets if len(secret) >= SHORTEST)


def forget() -> None:
    """Know no value any more."""
    _known.clear()


def of_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the values of an environment under names that sound secret."""
    return [value for name, value in environment.items() if NAMES.search(name)]


def of_kubeconfig(path: str | None) -> list[str]:
    """Return the credentials of a kubeconfig, also as they stand decoded; none if it cannot be read."""
    try:
        raw: Any = yaml.safe_load(Path(path or "~/.kube/config").expanduser().read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return []
    found = list(_under(raw, KUBECONFIG_KEYS))
    return found + [decoded for one in found if (decoded := _decoded(one))]


def _under(value: object, keys: tuple[str, ...]) -> Iterable[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in keys and isinstance(one, str):
                yield one
            yield from _under(one, keys)
    elif isinstance(value, list):
        for one in value:
            yield from _under(one, keys)


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
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def redact_object(value: Any, secrets: tuple[str, ...] = ()) -> Any:  # noqa: ANN401 - any JSON value
    """Hide values under names that sound secret (``{name, value}`` pairs of a container's environment too), and text that looks it."""
    if isinstance(value, dict):
        named = NAMES.search(str(value.get("name", ""))) and isinstance(value.get("value"), str)
        return {key: HIDDEN if _hides(key, one, named=bool(named)) else redact_object(one, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [redact_object(one, secrets) for one in value]
    return redact_text(value, secrets) if isinstance(value, str) else value


def _hides(key: str, value: object, *, named: bool) -> bool:
    return isinstance(value, str) and bool(value) and ((named and key == "value") or bool(NAMES.search(key)))
