"""Credentials do not belong into files that people commit: what of a target file looks like one is refused, and the value is not shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMES = re.compile(r"(?i)pass(word|wd)?$|secret|token$|api[-_]?key$|access[-_]?key|credential|private[-_]?key|authorization|^cookie$")
USERINFO = re.compile(r"://[^/\s@]+@")


def in_target(endpoints: Mapping[str, str], headers: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return the mistakes of a target file that holds credentials: in URLs of ``endpoints``, in ``headers`` of a workload's load."""
    found = [
        f"endpoints.{name}: a URL must not hold credentials, the suite writes it into its records; let a proxy add them"
        for name, url in endpoints.items()
        if USERINFO.search(url)
    ]
    for workload, values in headers.items():
        found += [
            f"workloads.{workload}.load.headers.{name}: a credential must not stand in a file; use api_key_env"
            for name, value in values.items()
            if value and NAMES.search(name)
        ]
    return found


def may_hold(where: str, value: object) -> bool:
    """Tell whether a value at a place of a file may be or hold a credential, so that no message shows it."""
    return isinstance(value, dict | list | tuple) or bool(NAMES.search(where) or USERINFO.search(str(value)))
