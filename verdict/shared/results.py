"""Making checks: one constructor a verdict, so that a check reads as the sentence it makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict, Unpack

from history.result import Check, Verdict

NOTHING_INJECTED = "Nothing was injected, so there is no recovery to measure."


def left(measured: float, budget: float) -> float | None:
    """Return the share of the budget that is left (negative: over; ``None``: the budget is 0)."""
    return 1 - measured / budget if budget > 0 else None


class Figures(TypedDict, total=False):
    """The figures of a check; see :class:`history.result.Check`."""

    measured: float | None
    budget: float | None
    unit: str
    margin: float | None
    resolution: float | None
    low: float | None
    high: float | None
    censored: bool


def passed(name: str, sentence: str, **figures: Unpack[Figures]) -> Check:
    """Return a check that passed."""
    return Check(name=name, verdict=Verdict.PASS, sentence=sentence, **figures)


def failed(name: str, sentence: str, **figures: Unpack[Figures]) -> Check:
    """Return a check that failed: measured, and over its budget or not restored."""
    return Check(name=name, verdict=Verdict.FAIL, sentence=sentence, **figures)


def inconclusive(name: str, sentence: str, **figures: Unpack[Figures]) -> Check:
    """Return a check whose inputs do not support any claim."""
    return Check(name=name, verdict=Verdict.INCONCLUSIVE, sentence=sentence, **figures)


def unless(name: str, problems: Iterable[str], opening: str, otherwise: str, **figures: Unpack[Figures]) -> Check:
    """Return a check that passed with the sentence ``otherwise``, or is inconclusive because of ``problems``."""
    reasons = list(problems)
    return inconclusive(name, f"{opening}: {'; '.join(reasons)}.", **figures) if reasons else passed(name, otherwise, **figures)
