"""Tables with which a campaign can be stopped and resumed: a line of JSON a trial, each with the commit that it tried."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Row = dict[str, Any]


def commit() -> str:
    """Return the commit under test, marked if the tree differs from it."""
    return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def rows_of(table: Path) -> list[Row]:
    """Return the rows so far; the table may not exist yet."""
    return [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []


def add_rows(table: Path, rows: Iterable[Row]) -> None:
    """Append rows; they are on their way to the disk when this returns."""
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
