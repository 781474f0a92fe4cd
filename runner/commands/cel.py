"""Expressions of admission policies (CEL), and what each rule says to a person."""

from __future__ import annotations

import json
from collections.abc import Iterable

Rule = tuple[str, str]  # an expression that must hold, and what it says


def nothing(what: str) -> list[Rule]:
    """Return a rule that nothing satisfies."""
    return [("false", f"the suite makes no {what}")]


def placed(namespace: str, what: str) -> list[Rule]:
    """Return the rule that something is made in the suite's own namespace only."""
    return [(f"request.namespace == {quoted(namespace)}", f"{what} only in namespace {namespace}")]


def labelled(labels: dict[str, str]) -> str:
    """Return the expression that an object carries all of ``labels``."""
    found = "object.metadata.?labels.orValue({})"
    return " && ".join(f"{found}[?{quoted(key)}].orValue('') == {quoted(value)}" for key, value in labels.items())


def quoted(text: str) -> str:
    """Return a CEL string: JSON's escapes are CEL's."""
    return json.dumps(text)


def cel(words: Iterable[str]) -> str:
    """Return a CEL list of strings."""
    return f"[{', '.join(map(quoted, words))}]"
