"""``python -m bench.common.published``: figures that take long to measure, as their own commands published them, beside their bounds."""
# ruff: noqa: E501 - a row is a line

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.common.tables import ROOT

DOCS = ROOT / "docs" / "results"
Counts = tuple[int, ...]
OUTLIVED = r" [^:]*: (\d+) with a fault alive after its deadline, (\d+) in whose round something was left"


@dataclass(frozen=True, slots=True)
class Figure:
    """A sentence of a page whose numbers have a bound. ``reached`` gets them in their order."""

    page: str
    sentence: re.Pattern[str]
    bound: str
    reached: Callable[[Counts], bool]


FIGURES = (
    Figure("mutations.md", re.compile(r"(\d+) of (\d+) mutants pass; (\d+) of (\d+) are named by the check that must name them; (\d+) of (\d+) twins pass"), "0 of ≥ 40 pass, all named, ≥ 12 twins all pass", lambda n: n[0] == 0 and n[1] >= 40 and n[2] == n[3] and n[4] == n[5] >= 12),
    Figure("null-runs.md", re.compile(r"(\d+) judged runs: (\d+) PASS, (\d+) INCONCLUSIVE, (\d+) FAIL"), "30 runs, 0 FAIL", lambda n: n[0] >= 30 and n[3] == 0),
    Figure("kill-campaign.md", re.compile(r"\*\*SIGKILL\*\*: (\d+) trials" + OUTLIVED), "≥ 100 trials, 0 alive, 0 left", lambda n: n[0] >= 100 and n[1] == n[2] == 0),
    Figure("kill-campaign.md", re.compile(r"\*\*SIGTERM, SIGINT\*\*: (\d+) trials" + OUTLIVED), "≥ 50 trials, 0 alive, 0 left", lambda n: n[0] >= 50 and n[1] == n[2] == 0),
    Figure("out-of-reach.md", re.compile(r"API server cut off: false verdicts \| (\d+) of (\d+)"), "0 false", lambda n: n[0] == 0 and n[1] > 0),
    Figure("bad-input.md", re.compile(r"(\d+) of (\d+) cases: (\d+) as they must be, (\d+) not"), "all as they must be", lambda n: n[0] == n[1] == n[2] > 0),
)  # fmt: skip


def read(figure: Figure, docs: Path) -> tuple[str, bool]:
    """Return what the page says first of ``figure``, and whether that reaches its bound; a page that does not say it misses it."""
    file = docs / figure.page
    published = figure.sentence.search(file.read_text()) if file.exists() else None
    if published is None:
        return "not published", False
    return published.group().replace("**", ""), figure.reached(tuple(int(number) for number in published.groups()))


def main(docs: Path = DOCS) -> int:
    """Print every figure beside its bound; exit 1 if one is missed."""
    table, missed = Table("page", "figure", "bound", "", title="published figures (each page names the command that makes it)"), 0
    for figure in FIGURES:
        text, reached = read(figure, docs)
        table.add_row(f"docs/results/{figure.page}", text, figure.bound, "reached" if reached else "MISSED")
        missed += not reached
    Console(width=160).print(table)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
