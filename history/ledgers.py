"""The ledger of a training job as a table of the history: rows as the ranks wrote them, in columns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from history.reader import LEDGERS
from history.schema import TRAINING
from history.writer import RowWriter

PLAIN = tuple(name for name in TRAINING if name != "detail")
NEEDED = ("t_ns", "kind", "attempt", "rank", "step")
CLOCK = "clock"
"""The kind of the rows that say how far a host's clock lies from the ledger server's."""
RUNNER = "(runner)"
"""The host of those that say it of the clock by which faults are timed."""


def training_rows(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the rows of whole lines of a training job's ledger.

    A line that is no object, or lacks time, kind, attempt, rank or step, is left out. It was cut short by a writer that was killed, and
    nobody acknowledged it.
    """
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and all(row.get(name) is not None for name in NEEDED):
            rest = {name: value for name, value in row.items() if name not in PLAIN and name != "run"}
            yield {name: row.get(name) for name in PLAIN} | {"detail": json.dumps(rest)}


def lacking(text: bytes) -> Counter[str]:
    """Return by field how many whole rows are left out by :func:`training_rows` because they lack it: a ledger of somebody's own."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            found.update(name for name in NEEDED if isinstance(row, dict) and row.get(name) is None)
    return found


def done_steps(rows: pl.DataFrame, ranks: int) -> pl.DataFrame:
    """Return each step that all ranks of its attempt did, and when the last of them had (columns ``t_ns``, ``attempt``, ``step``, by time).

    ``rows``: of :data:`history.schema.TRAINING`. How many ranks an attempt has is what its start says; ``ranks``: those of one whose
    start is not among them.
    """
    starts = rows.filter(pl.col("kind") == "start").sort("t_ns").select("attempt", "detail")
    worlds = {attempt: int(detail_of(detail).get("world") or 0) or ranks for attempt, detail in starts.iter_rows()}
    each = rows.filter(pl.col("kind") == "step").group_by("attempt", "step").agg(pl.col("rank").n_unique(), pl.col("t_ns").max())
    world = pl.col("attempt").replace_strict(worlds, default=ranks, return_dtype=pl.Int64)
    return each.filter(pl.col("rank") >= world).sort("t_ns", "step").select("t_ns", "attempt", "step")


def detail_of(text: str | None) -> Mapping[str, Any]:
    """Return a row's detail; empty if it is no JSON object."""
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


class LedgerWriter:
    """Appends rows to ``ledgers/<name>.<writer>.jsonl`` of a run folder; they survive a kill as those of the other tables do."""

    def __init__(self, run_dir: Path, name: str, writer: str) -> None:
        folder = run_dir / LEDGERS
        folder.mkdir(exist_ok=True)
        self._rows = RowWriter(folder, name, writer, buffer_rows=1000)

    @property
    def path(self) -> Path:
        """Where the rows are."""
        return self._rows.path

    def write(self, text: bytes) -> list[dict[str, object]]:
        """Append the rows of ``text`` (whole lines) and return them."""
        return self.append(list(training_rows(text)))

    def append(self, rows: list[dict[str, object]]) -> list[dict[str, object]]:
        """Append ``rows`` and return them."""
        for row in rows:
            self._rows.write(row)
        self._rows.flush()
        return rows

    def close(self) -> None:
        """Flush and close."""
        self._rows.close()
