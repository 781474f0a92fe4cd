"""What every bench that publishes has in common: its command line, and the pages under docs/results/."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.common.tables import Row
from history.values import parse_duration

NOTED = ("measured_at", "commit", "load_average", "cores")


def parser_of(module: str, about: str | None) -> argparse.ArgumentParser:
    """Return a command line with ``--write``; ``about``: the module's docstring, whose first line is shown."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=(about or "").splitlines()[0])
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the page there")
    return parser


def add_time_limit(parser: argparse.ArgumentParser, default: float = float("inf")) -> None:
    """Add ``--for TIME``: how long the campaign may go on (s)."""
    parser.add_argument("--for", dest="for_s", type=parse_duration, default=default, metavar="TIME", help="begin nothing after this")


def publish(text: str, file: Path | None) -> None:
    """Print a page, and write it to ``file`` if there is one."""
    print(text)
    if file is not None:
        file.write_text(text)


def page(title: str, command: str, measured: Iterable[Row], *parts: str) -> str:
    """Return a page (Markdown): title, how it is made, when it was ``measured``, then its parts, of which empty ones are left out."""
    head = [f"# {title}", f"Made by `{command}`.", circumstances_of(list(measured))]
    return "\n\n".join(part.strip("\n") for part in (*head, *parts) if part) + "\n"


def circumstances_of(rows: Sequence[Row]) -> str:
    """Return date, commit and machine load of all ``rows`` as a sentence; it says so where they were not noted."""
    noted = {key: sorted({row[key] for row in rows if row.get(key) is not None}) for key in NOTED}
    day = _span([time[:10] for time in noted["measured_at"]]) or "on a day that was not noted"
    commits = ", ".join(noted["commit"]) or "a commit that was not noted"
    load = f"load {_span(noted['load_average']) or 'not noted'}"
    cores = f" on {_span(noted['cores'])} cores" if noted["cores"] else ""
    older = sum("measured_at" not in row for row in rows)
    rest = f"; {older} of {len(rows)} measurements are older than these notes" if 0 < older < len(rows) else ""
    return f"measured {day} at {commits}, {load}{cores}{rest}"


def _span(values: Sequence[object]) -> str:
    """Return the first and the last of sorted values."""
    return " to ".join(dict.fromkeys(str(value) for value in (*values[:1], *values[-1:])))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table (Markdown)."""
    lines = [" | ".join(cell(item) for item in row) for row in (heads, *rows)]
    return "\n".join(["| " + lines[0] + " |", "|" + "---|" * len(heads), *(f"| {line} |" for line in lines[1:])])


def cell(value: object) -> str:
    """Return a value as one cell of a table."""
    return " ".join(str(value).replace("|", "/").replace("<", "&lt;").split())
