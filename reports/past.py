"""What earlier nights say beside tonight's runs: what changed, and the trend. Made by :mod:`nights`; shown, not judged, here."""

from __future__ import annotations

from history.values import FrozenModel
from nights.changes import Changes
from nights.trend import Trend


class Past(FrozenModel):
    """Earlier nights, as a report shows them."""

    place: str  # where they are kept
    changes: Changes | None = None  # null: they could not be read, and ``notes`` say why
    trends: tuple[Trend, ...] = ()
    notes: tuple[str, ...] = ()  # what was not as it should be: a torn index, a run that cannot be read
