"""What hypothesis probes said, with the no-data rules applied: what is missing, not a number or frozen satisfies nothing."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import takewhile
from typing import NamedTuple

from history.schema import EventKind
from verdict.inputs.timeline import Event, Timeline

FROZEN_AFTER = 5
"""So many evaluations with one and the same fraction are an instrument that stands still: real measurements of it vary."""
FROZEN_S = 8.0
"""The latest evaluations must agree for this long (s): a window of the last few seconds has nearly been renewed by then."""


class Said(StrEnum):
    """What one evaluation came to."""

    MET = "met"
    UNMET = "unmet"
    NO_DATA = "no data"


class Evaluation(NamedTuple):
    """One evaluation of one probe."""

    t_ns: int
    said: Said
    value: object


def evaluations_of(timeline: Timeline, probe: str) -> list[Evaluation]:
    """Return every evaluation of ``probe`` in order of time; one without a value, or without a clear yes or no, is one without data."""
    return [
        Evaluation(event.t_ns, _said(event), event.detail.get("value"))
        for event in timeline.all(EventKind.HYPOTHESIS)
        if event.object == probe
    ]


def frozen(evaluations: Sequence[Evaluation]) -> bool:
    """Tell whether the values stand still in the end: many, all the same, and no whole number (counts and zeros may well be constant)."""
    values = [(e.t_ns, e.value) for e in evaluations if isinstance(e.value, float)]
    last = values[-1][1] if values else 0.0
    still = list(takewhile(lambda evaluation: evaluation[1] == last, reversed(values)))
    if len(still) < FROZEN_AFTER or float(last).is_integer():
        return False
    return len(still) == len(values) or still[0][0] - still[-1][0] >= FROZEN_S * 1e9


def _said(event: Event) -> Said:
    met, value = event.detail.get("met"), event.detail.get("value")
    missing = value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN differs from itself
    if event.detail.get("no_data") or missing or not isinstance(met, bool):
        return Said.NO_DATA
    return Said.MET if met else Said.UNMET
