"""What marks a credential: its name or its shape, in one list for target files and for everything that a run writes.

Credentials do not belong into files that people commit: a target file that holds one is refused, and no message shows the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

WORDS = r"secret|access[-_]?key|credential|private[-_]?key"
ENDINGS = r"pass(?:word|wd)?|token|api[-_]?key"  # in a key of a file only at its end: max_tokens is none
KEY = re.compile(rf"(?i){WORDS}|authorization|(?:{ENDINGS})$|^cookie$")
"""Keys and headers of a target file that hold a credential."""
NAME = re.compile(rf"(?i){WORDS}|authorization|{ENDINGS}|dsn")
"""Variables, and keys of what a run writes, that hold a credential."""
USERINFO = re.compile(r"://[^/\s@]+@")
SHAPES = (
    re.compile(rf"(?i)((?:{ENDINGS}|{WORDS}|credentials)[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&}}]+)"),
    re.compile(r"(?i)(authorization[\"']?\s*[=:]\s*[\"']?(?:bearer|basic)\s+)([^\s\"',;]+)"),
    re.compile(r"(://[^/\s:@]*:)([^@\s/]+)(?=@)"),
    re.compile(r"()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"),
    re.compile(r"()\b(AKIA[0-9A-Z]{12,})"),
)
"""Credentials inside a text: the first group leads to one, the second is it."""


def in_target(endpoints: Mapping[str, str], headers: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the credentials (keys, sentence) of a target file: in URLs of ``endpoints``, in ``headers`` of a workload's load."""
    for name, url in endpoints.items():
        if USERINFO.search(url):
            yield ("endpoints", name), "a URL must not hold credentials, the suite writes it into its records; let a proxy add them"
    for workload, values in headers.items():
        for name, value in values.items():
            if value and KEY.search(name):
                yield ("workloads", workload, "load", "headers", name), "a credential must not stand in a file; use api_key_env"


def may_hold(where: str, value: object) -> bool:
    """Tell whether a value at a place of a file may be or hold a credential, so that no message shows it."""
    return isinstance(value, dict | list | tuple) or bool(KEY.search(where) or USERINFO.search(str(value)))
