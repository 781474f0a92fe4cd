"""The cases of the field: an input, what is right, and a function that runs it and says what came.

A module of this folder that defines cases by :func:`case` is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

import bench.field


class Seen(NamedTuple):
    """What came of a case, in words, and whether it is what is right."""

    text: str
    right: bool


class Case(NamedTuple):
    """One input of a part of the field (``answers``, ``prometheus``, …: those of ``__main__``)."""

    part: str
    given: str
    right: str
    run: Callable[[], Seen]


CASES: list[Case] = []


def case(part: str, given: str, right: str) -> Callable[[Callable[[], Seen]], Callable[[], Seen]]:
    """Register a function that runs an input: ``given`` and what is ``right``, in words."""

    def register(function: Callable[[], Seen]) -> Callable[[], Seen]:
        CASES.append(Case(part, given, right, function))
        return function

    return register


def all_cases() -> list[Case]:
    """Return the cases of every module of this folder."""
    for module in pkgutil.iter_modules(bench.field.__path__):
        if module.name not in {"__main__", "cases"}:
            importlib.import_module(f"{bench.field.__name__}.{module.name}")
    return list(CASES)
