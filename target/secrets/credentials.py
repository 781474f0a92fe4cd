"""What marks a credential: its name or its shape, in one list for target files and for everything that a run writes.

Credentials do not belong into files that people commit: a target file that holds one is refused, and no message shows the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from target.region import Region

WORDS = r"secret|access[-_]?key|credential|private[-_]?key"
ENDINGS = r"pass(?:word|wd)?|token|api[-_]?key"  # in a key of a file only at its end: max_tokens is none
KEY = re.compile(rf"(?i){WORDS}|authorization|(?:{ENDINGS})$|^cookie$")
"""Keys and headers of a target file that hold a credential."""
NAME = re.compile(rf"(?i){WORDS}|authorization|{ENDINGS}|dsn")
"""Variables, and keys of what a run writes, that hold a credential."""
VARIABLE = re.compile(r"(?i)[._]env$")  # what stands there may be the value instead of the name
USERINFO = re.compile(r"://[^/\s@]+@")
IN_URL = "a URL must not hold credentials, the suite writes it into its records; let a proxy add them"
IN_FILE = "a credential must not stand in a file; use api_key_env, or request.auth for another header"
SHAPES = (
    re.compile(rf"(?i)((?:{ENDINGS}|{WORDS}|credentials)[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&}}]+)"),
    re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)\s+)([^\s\"',;]+)"),
    re.compile(r"(://[^/\s:@]*:)([^@\s/]+)(?=@)"),
    re.compile(r"()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(r"()\b(AKIA[0-9A-Z]{12,})"),
)
"""Credentials inside a text: the first group leads to one, the second is it."""


def in_region(region: Region) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the credentials (keys, sentence) of a region: in URLs, and in headers for its Prometheus."""
    for name, url in region.endpoints.items():
        if _in_url(url):
            yield ("endpoints", name), IN_URL
    if region.alerts and region.alerts.receiver and _in_url(region.alerts.receiver.alertmanager or ""):
        yield ("alerts", "receiver", "alertmanager"), f"{IN_URL}, or write group_wait in its place"
    if region.prometheus is None:
        return
    if _in_url(region.prometheus.url):
        yield ("prometheus", "url"), f"{IN_URL}, or use auth"
    for name, header in region.prometheus.headers.items():
        if header.value and KEY.search(name):
            yield ("prometheus", "headers", name), "a credential must not stand in a file; write {env: NAME}, or use auth"


def _in_url(url: str) -> bool:
    """Tell whether a URL holds a credential: before its host, or under a secret name in its query."""
    return bool(USERINFO.search(url)) or any(KEY.search(name) for name, value in parse_qsl(url.partition("?")[2]) if value)


def in_load(headers: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the credentials (keys, sentence) in the headers of a workload's load."""
    for name, value in headers.items():
        if value and KEY.search(name):
            yield ("load", "headers", name), IN_FILE


def in_body(value: object, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the credentials (keys, sentence) in the body of a template."""
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        if isinstance(part, str) and part and KEY.search(name):
            yield (*keys, name), IN_FILE
        yield from in_body(part, (*keys, name))


def may_hold(where: str, value: object) -> bool:
    """Tell whether a value at a place of a file may be or hold a credential, so that no message shows it."""
    return isinstance(value, dict | list | tuple) or bool(KEY.search(where) or VARIABLE.search(where) or USERINFO.search(str(value)))
