"""The first error in the logs that were kept: of what the fault met, never of bystanders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from history.plan import ResolvedTarget
from reports.kept import LogExcerpt
from reports.text import one_line

ERROR = re.compile(r"\b(error|exception|traceback|panic|fatal|critical|killed|oom|segmentation fault)\b|\b[A-Z]\w*Error\b", re.IGNORECASE)
BEFORE, AFTER = 2, 6
MOST_LINES = 200_000  # of one log that are read
WIDEST = 240  # characters of a line that are shown


def excerpt_of(run_dir: Path, targets: Iterable[ResolvedTarget]) -> LogExcerpt | None:
    """Return the lines around the first error in the kept logs of the ``targets``; None: none was kept, or none of them shows an error."""
    for log in _logs(run_dir, [target.name for target in targets if target.kind == "Pod"]):
        lines = _lines(log)
        first = next((number for number, line in enumerate(lines) if ERROR.search(line)), None)
        if first is not None:
            begin = max(0, first - BEFORE)
            shown = tuple(one_line(line, WIDEST) for line in lines[begin : first + AFTER + 1])
            return LogExcerpt(path=str(log.relative_to(run_dir)), first_line=begin + 1, lines=shown)
    return None


def _logs(run_dir: Path, pods: list[str]) -> Iterator[Path]:
    """Yield the kept logs of ``pods``, that of the container that ended before the one that runs now."""
    kept = sorted((run_dir / "scene").rglob("*.log"), key=lambda file: ("previous" not in file.name, str(file)))
    return (file for file in kept if any(pod in str(file.relative_to(run_dir)) for pod in pods))


def _lines(log: Path) -> list[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as rows:
            return list(islice(rows, MOST_LINES))
    except OSError:  # it may have been taken away since
        return []
