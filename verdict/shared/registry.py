"""The list of measurements, filled by the decorator :func:`measure`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

from history.result import Measurement
from verdict.case import Case


@dataclass(frozen=True, slots=True)
class Value:
    """A measured value; ``None``: not measurable, and ``sentence`` says why. ``censored``: it is a lower bound."""

    value: float | None
    sentence: str = ""
    censored: bool = False


Function = Callable[[Case], Value]
NO_FAULT = Value(None, "no fault was injected")


@dataclass(frozen=True, slots=True)
class Measure:
    """One measurement: its name, its unit, how it is made, and its definition."""

    name: str
    unit: str
    function: Function

    @property
    def definition(self) -> str:
        """The docstring of the function, with the unit."""
        return f"{inspect.getdoc(self.function)} Unit: {self.unit}."

    def of(self, case: Case) -> Measurement:
        """Measure; a value that is not a number is no value."""
        made = self.function(case)
        value = made.value if made.value is not None and math.isfinite(made.value) else None
        return Measurement(name=self.name, value=value, unit=self.unit, sentence=made.sentence, censored=made.censored)


MEASURES: dict[str, Measure] = {}


def measure(unit: str) -> Callable[[Function], Function]:
    """Register a function as a measurement under its own name."""

    def register(function: Function) -> Function:
        MEASURES[function.__name__] = Measure(function.__name__, unit, function)
        return function

    return register
