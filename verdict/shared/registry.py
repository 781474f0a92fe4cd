"""What is measured and checked: filled by the decorators :func:`measure` and :func:`check`, read through :mod:`verdict.registered`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeVar

from history.budgets import BUDGETS, Budget
from history.kinds import EVERY, in_words
from history.result import Check, Measurement
from verdict.case import Case


@dataclass(frozen=True, slots=True)
class Value:
    """A measured value; ``None``: not measurable, and ``sentence`` says why. ``censored``: it is a lower bound."""

    value: float | None
    sentence: str = ""
    censored: bool = False


Measuring = Callable[[Case], Value]
Checking = TypeVar("Checking", bound=Callable[[Case], Check | None])
NO_FAULT = Value(None, "no fault was injected")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measurement: its name, its unit, the kind of workload it is of, how it is made, and its definition."""

    name: str
    unit: str
    kind: str
    function: Measuring

    @property
    def definition(self) -> str:
        """The docstring of the function, with the unit."""
        return f"{inspect.getdoc(self.function)} Unit: {self.unit}."

    def of(self, case: Case) -> Measurement:
        """Measure; a value that is not a number is no value."""
        made = self.function(case)
        value = made.value if made.value is not None and math.isfinite(made.value) else None
        return Measurement(name=self.name, value=value, unit=self.unit, sentence=made.sentence, censored=made.censored)


class Role(StrEnum):
    """How a check stands to the others."""

    RESTING = "rests on the gates, and is not judged if one of them did not pass"
    OWN = "is judged by itself"
    GATE = "must pass, or what rests on the gates cannot be believed"


class Cause(IntEnum):
    """What a check says of an inconclusive run: the cause comes before its consequences."""

    CUT_SHORT = 0
    RECORD = 1
    LOAD = 2
    BASELINE = 3
    FAULT = 4
    EVIDENCE = 5
    INSTRUMENT = 6
    NONE = 7


MEASUREMENT = (Cause.RECORD, Cause.LOAD)
"""Causes that lie in how it was measured, not in the platform."""


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """One check: its name, the kind of workload that it judges, and how it stands to the others.

    ``budget``: which one it judges, if any. ``felt``: it judges what users felt, hence follows from which arrivals were
    good; only requests have arrivals.
    """

    name: str
    kind: str
    role: Role
    function: Callable[[Case], Check | None]
    title: str
    budget: Budget | None
    felt: bool
    cause: Cause

    @property
    def definition(self) -> str:
        """The docstring of the function."""
        return inspect.getdoc(self.function) or ""


MEASURES: list[Measure] = []
CHECKS: list[CheckSpec] = []


def measure(unit: str, kind: str) -> Callable[[Measuring], Measuring]:
    """Register a function as a measurement under its own name, for workloads of ``kind``. Raises ValueError: the name is taken."""

    def register(function: Measuring) -> Measuring:
        made = Measure(function.__name__, unit, kind, function)
        _refuse_second(made, MEASURES)
        MEASURES.append(made)
        return function

    return register


def check(
    kind: str, role: Role, *, budget: str = "", title: str = "", felt: bool = False, cause: Cause = Cause.NONE
) -> Callable[[Checking], Checking]:
    """Register a function as a check under its own name, for workloads of ``kind``.

    ``title`` is what it is called on the page; left out: as its budget, or its own name.

    Raises:
        ValueError: the name is taken, there is no such budget, or it means nothing for ``kind``.

    """

    def register(function: Checking) -> Checking:
        judged = _budget(function.__name__, budget, kind)
        spec = CheckSpec(function.__name__, kind, role, function, title or (judged.title if judged else ""), judged, felt, cause)
        _refuse_second(spec, CHECKS)
        CHECKS.append(spec)
        return function

    return register


def _budget(name: str, budget: str, kind: str) -> Budget | None:
    if not budget:
        return None
    if budget not in BUDGETS:
        raise ValueError(f"check {name} judges budget {budget!r}, which history/budgets.py does not declare; it has {', '.join(BUDGETS)}")
    if not BUDGETS[budget].fits(kind):
        raise ValueError(f"check {name} of {in_words(kind)} judges budget {budget!r}, which is declared for {BUDGETS[budget].kinds} only")
    return BUDGETS[budget]


def _refuse_second(new: Measure | CheckSpec, known: list[Measure] | list[CheckSpec]) -> None:
    """Refuse a second function of one name where both would be made of one run."""
    for old in known:
        if old.name == new.name and (old.kind == new.kind or EVERY in {old.kind, new.kind}):
            where = f"{new.function.__module__}.{new.name} of {in_words(new.kind)}"
            raise ValueError(f"{where}: {old.function.__module__} registered this name for {in_words(old.kind)}; give it another name")
