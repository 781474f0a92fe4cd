"""What the history of the running experiment says so far."""

from __future__ import annotations

import polars as pl

from history.errors import NoData
from history.reader import read_table
from history.schema import EventKind
from safety import active_run


def first_ns(kind: EventKind, obj: str | None = None) -> int:
    """Return the time (ns UTC) of the first event of ``kind`` (about ``obj``).

    Raises:
        NoData: there is none yet.
        TargetRefused: no live run.

    """
    events = read_table(active_run.require().run_dir, "events").filter(pl.col("kind") == kind.value)
    times = events.filter(pl.col("object") == obj)["t_ns"] if obj else events["t_ns"]
    if times.is_empty():
        raise NoData(f"history: no event {kind.value}{f' of {obj}' if obj else ''} yet, so nothing can be measured from it; is it running?")
    return int(times.min())  # type: ignore[arg-type]  # int64 column
