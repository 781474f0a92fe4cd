"""Tables with which a campaign can be stopped and resumed: a line of JSON a trial, each with commit, time and machine load."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Row = dict[str, Any]


@functools.cache
def commit() -> str:
    """Return the commit under test, marked if the tree differs from it: as it was when this process first asked."""
    return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def circumstances() -> Row:
    """Return when (UTC), at which commit and on how busy a machine something is measured now."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "load_average": round(os.getloadavg()[0], 1),  # of the last minute
        "cores": os.cpu_count(),
    }


def rows_of(table: Path) -> list[Row]:
    """Return the rows so far; the table may not exist yet."""
    return [json.loads(line) for line in table.read_text().splitlines()] if table.exists() else []


def add_rows(table: Path, rows: Iterable[Row]) -> None:
    """Append rows, each with the present circumstances besides what it says itself; they are on their way to the disk on return."""
    table.parent.mkdir(parents=True, exist_ok=True)
    now = circumstances()
    with table.open("a") as file:
        file.writelines(json.dumps(now | row) + "\n" for row in rows)
