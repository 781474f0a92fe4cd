"""``python -m nights keep|list|index --nights PLACE``: keep stored runs as a night, list what is kept, make the index anew.

Exit codes: 0 done · 1 something could not be read, and is named · 2 wrong usage · 11 refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from history.errors import AftershockError
from nights.record import Night
from nights.shelf import Shelf
from nights.store.place import open_store
from verdict.words import count

REFUSED = 11
NIGHTS = "reports/out/nights"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m nights", description="Keep sessions, so that later ones can be compared with them.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    keep = commands.add_parser("keep", help="keep stored runs as one night")
    keep.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, for example reports/out/runs/*")
    commands.add_parser("list", help="list the nights that are kept")
    commands.add_parser("index", help="make records and index anew from the runs")
    for command in commands.choices.values():
        command.add_argument("--nights", default=NIGHTS, metavar="PLACE", help="a folder or s3://BUCKET/PREFIX (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        return _carry_out(options, Shelf(open_store(options.nights), lambda text: print(text, file=sys.stderr)))
    except AftershockError as error:
        print(error, file=sys.stderr)
        return REFUSED


def _carry_out(options: argparse.Namespace, shelf: Shelf) -> int:
    if options.command == "keep":
        shown = [shelf.keep(options.runs)]
        shelf.nights()
    else:
        shown = shelf.rebuild() if options.command == "index" else shelf.nights()
    print("\n".join(line for night in shown for line in _lines(night)) or f"no night is kept in {shelf.place}")
    return int(any(night.unread for night in shown))


def _lines(night: Night) -> list[str]:
    began = f"{datetime.fromtimestamp(night.started_ns / 1e9, UTC):%Y-%m-%d %H:%M} UTC"
    targets = ", ".join(dict.fromkeys(run.conditions.target for run in night.runs)) or "no target"
    ended = ", ".join(f"{sum(run.counts_as == word for run in night.runs)} {word}" for word in ("PASS", "INCONCLUSIVE", "FAIL"))
    state = "" if night.whole and night.kept_whole else ", not kept to its end" if not night.whole else ", trimmed"
    line = f"{night.night}  {began}  {targets}: {count(len(night.runs), 'run')}, {ended}{state}"
    return [line, *(f"  {one.name}: {one.reason}" for one in night.unread)]
