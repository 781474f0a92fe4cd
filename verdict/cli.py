"""``python -m verdict RUN...``: judge stored runs again, write ``verdict.json`` beside each, and say what it says.

Exit codes: 0 all PASS, 1 any FAIL, 10 no FAIL but INCONCLUSIVE, 2 a run that cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from history.errors import HistoryError
from history.layout import NO_CAUSE
from history.reader import read_run
from history.result import Check, RunVerdict, Verdict, write_verdict
from verdict.judge import judge
from verdict.size import refuse_if_too_large
from verdict.words import interval, number, plain, seconds

EXIT = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 10}
UNREADABLE = 2
COLOUR = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the runs named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m verdict", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder (holds plan.json)")
    parser.add_argument("--dry-run", action="store_true", help="write no verdict.json")
    options = parser.parse_args(arguments)
    codes = [_judge(path, Console(), write=not options.dry_run) for path in options.runs]
    return next((code for code in (UNREADABLE, EXIT[Verdict.FAIL], EXIT[Verdict.INCONCLUSIVE]) if code in codes), 0)


def _judge(path: Path, console: Console, *, write: bool) -> int:
    try:
        refuse_if_too_large(path)
        verdict = judge(read_run(path))
        if write:
            write_verdict(verdict, path)
    except HistoryError as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    except OSError as error:
        print(f"{path}: {error}; the run cannot be read, or its verdict not be written there", file=sys.stderr)
        return UNREADABLE
    show(verdict, console)
    return EXIT[verdict.verdict]


def show(verdict: RunVerdict, console: Console) -> None:
    """Print the verdict, its sentence, a table of its checks, and what those say that did not pass."""
    colour = COLOUR[verdict.verdict]
    console.print(f"[bold {colour}]{verdict.verdict}[/] {escape(verdict.run_id)}: {escape(verdict.sentence)}")
    table = Table("check", "verdict", "measured", "budget", "margin")
    for check in verdict.checks:
        margin = "" if check.margin is None else f"{check.margin:.0%}"
        word = f"[{COLOUR[check.verdict]}]{check.verdict}[/]"
        table.add_row(check.name, word, measured(check), _figure(check.budget, check.unit), margin)
    console.print(table)
    for check in verdict.checks:
        if check.verdict is not Verdict.PASS:
            console.print(f"[{COLOUR[check.verdict]}]{check.name}[/]: {escape(check.sentence)}")
    for one in verdict.advice or ():
        console.print(f"likely cause: {escape(one.sentence)} ({escape(one.where)}: {escape(one.field)})")
    if verdict.advice == ():
        console.print(NO_CAUSE)


def measured(check: Check) -> str:
    """Return a check's figure as people read it: ``> 60 s``, ``3.41 s to 3.43 s``, ``3.42 s ± 10 ms``, ``0.998``."""
    if check.unit == "s" and check.low is not None and not check.censored:
        return interval(check.low, check.high)
    text = seconds(check.measured) if check.unit == "s" and check.measured is not None else _figure(check.measured, check.unit)
    fine = f" ± {seconds(check.resolution)}" if check.unit == "s" and check.resolution is not None else ""
    return f"> {text}" if check.censored else text + fine


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return plain(value) if unit == "s" else number(value, 4) + ("" if unit in {"", "ratio"} else f" {unit}")
