"""Findings as a person reads them: by subject, one line each, with a mark of its kind and the next step."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runner.findings import About, Finding, Kind
from target.secrets.hiding import redact_text

COLOURS = {Kind.WORKS: "green", Kind.LEFT_OUT: "dim", Kind.TO_DECIDE: "yellow", Kind.REFUSED: "red"}
ORDER = tuple(COLOURS)


def show(findings: Iterable[Finding], end: Iterable[str]) -> None:
    """Print findings, and the lines of the end; on a terminal with colours and wrapped under each other."""
    of = ordered(findings)
    if not sys.stdout.isatty():
        print("\n".join(redact_text(line) for line in [*plain(of), "", *end]))
        return
    console = Console()
    for about, found in of:
        console.print(f"[bold]{about}[/bold]")
        table = Table.grid(padding=(0, 1))
        for finding in found:
            table.add_row("", f"[{COLOURS[finding.kind]}]{finding.kind:<9}[/]", escape(redact_text(_text(finding))))
        console.print(table)
    console.print("", *(escape(redact_text(line)) for line in end), sep="\n")


def ordered(findings: Iterable[Finding]) -> list[tuple[About, list[Finding]]]:
    """Return the findings of each subject that has any, what works first, what is refused last; each once."""
    found = list(dict.fromkeys(findings))
    of = {about: sorted((one for one in found if one.about is about), key=lambda one: ORDER.index(one.kind)) for about in About}
    return [(about, those) for about, those in of.items() if those]


def plain(of: Iterable[tuple[About, list[Finding]]]) -> Iterator[str]:
    """Yield the lines of a file or a pipe: a subject, then a line a finding."""
    for about, found in of:
        yield about.value
        yield from (f"  {finding.kind:<9} {_text(finding)}" for finding in found)


def _text(finding: Finding) -> str:
    """Return a finding with its next step; in one line, whatever others' words are in it."""
    return " ".join(f"{finding.text}{f' -> {finding.do}' if finding.do else ''}".split())
