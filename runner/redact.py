"""Taking secrets out of what is copied from a cluster: logs and object descriptions."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "[redacted]"
NAMES = re.compile(r"(?i)(pass(word|wd)?|secret|token|api[-_]?key|access[-_]?key|credential|private[-_]?key|authorization|dsn)")
PATTERNS = (
    re.compile(r"(?i)((?:pass(?:word|wd)?|secret|token|api[-_]?key|access[-_]?key|credentials?)[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&}]+)"),
    re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)\s+)([^\s\"',;]+)"),
    re.compile(r"(://[^/\s:@]*:)([^@\s/]+)(?=@)"),
    re.compile(r"()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(r"()\b(AKIA[0-9A-Z]{12,})"),
)


def redact_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Hide what looks like a credential, and every one of ``secrets``."""
    for secret in secrets:
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
