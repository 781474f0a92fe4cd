"""How large a run this suite judges and shows: more is refused with a sentence, before memory is asked for."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from history.errors import HistoryError

MOST_ROWS = 20_000_000
"""More requests than this (about 4 GB) are refused before they are read."""
SHORTEST_LINE = 150
"""Bytes: no request's JSON line is shorter, so a file's size bounds its rows."""


def refuse_if_too_large(path: Path) -> None:
    """Raise :class:`HistoryError` if ``path`` holds more requests than memory should be asked for; reads no row."""
    rows = max(_rows(path, name) for name in ("requests", "schedule"))
    if rows > MOST_ROWS:
        raise HistoryError(
            f"{path}: {rows:,} requests, this suite reads at most {MOST_ROWS:,} at once (about 4 GB of memory); "
            "judge shorter runs: a run ends one hold after recovery"
        )


def _rows(path: Path, name: str) -> int:
    """Return how many rows a table has, or, while it is not closed, at most can have."""
    closed = path / f"{name}.parquet"
    if not closed.exists():
        return sum(file.stat().st_size for file in path.glob(f"{name}.*.jsonl")) // SHORTEST_LINE
    try:
        return int(pl.scan_parquet(closed).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise HistoryError(f"{closed}: not a Parquet file ({error}); it was damaged after it was written") from error
