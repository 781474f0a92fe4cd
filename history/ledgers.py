"""The ledger of a training job as a table of the history: rows as the ranks wrote them, in columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from history.schema import TRAINING
from history.writer import RowWriter

FOLDER = "ledgers"
PLAIN = tuple(name for name in TRAINING if name != "detail")
NEEDED = ("t_ns", "kind", "attempt", "rank", "step")


def training_rows(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the rows of whole lines of a training job's ledger.

    A line that is no object, or lacks time, kind, attempt, rank or step, is left out: it was cut short by a writer that was killed, who
    never had it acknowledged.
    """
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and all(row.get(name) is not None for name in NEEDED):
            rest = {name: value for name, value in row.items() if name not in PLAIN and name != "run"}
            yield {name: row.get(name) for name in PLAIN} | {"detail": json.dumps(rest)}


class LedgerWriter:
    """Appends rows to ``ledgers/<name>.<writer>.jsonl`` of a run folder; they survive a kill as those of the other tables do."""

    def __init__(self, run_dir: Path, name: str, writer: str) -> None:
        folder = run_dir / FOLDER
        folder.mkdir(exist_ok=True)
        self._rows = RowWriter(folder, name, writer, buffer_rows=1000)

    def write(self, text: bytes) -> list[dict[str, Any]]:
        """Append the rows of ``text`` (whole lines) and return them."""
        return self.append(list(training_rows(text)))

    def append(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Append ``rows`` and return them."""
        for row in rows:
            self._rows.write(row)
        self._rows.flush()
        return rows

    def close(self) -> None:
        """Flush and close."""
        self._rows.close()
