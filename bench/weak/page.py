"""The table of weak platforms in Markdown: weakness, caught or not, by which check, its sentence."""

from __future__ import annotations

from collections.abc import Sequence

from bench.common import pages
from bench.common.tables import Row
from bench.weak.weaknesses import HARDENED, WEAKNESSES, Weakness

COMMAND = "make deploy && python -m bench.weak --write docs/results/weak-platforms.md"
HEAD = """A row is a platform with one seeded weakness (`workloads/manifests/weak/NAME`, a patch on the hardened one) under the experiment
that looks for it. `caught`: the check that the row names says FAIL; INCONCLUSIVE is not caught. The hardened platform meets the same
experiments, and a FAIL there is a false alarm. The campaign can be resumed: a trial is kept by the digest of its experiment, target and
manifests, of the faults and of the code of verdicts."""


def caught(weakness: Weakness, row: Row) -> bool:
    """Tell whether a trial of ``weakness`` found it: FAIL, by the check that must name it."""
    return weakness.check in row["failed"]


def page(rows: Sequence[Row]) -> str:
    """Return the page (Markdown) of ``rows``."""
    calm = [row for row in rows if row["variant"] == HARDENED]
    found = [(one, [row for row in rows if row["variant"] == one.variant]) for one in WEAKNESSES]
    tried = [(one, those) for one, those in found if those]
    every = sum(all(caught(one, row) for row in those) for one, those in tried)
    alarms, unsure = (sum(row["verdict"] == verdict for row in calm) for verdict in ("FAIL", "INCONCLUSIVE"))
    found_all = f"{every} of {len(tried)} weaknesses caught in every run"
    said = f"**{found_all}; {alarms} false alarms and {unsure} inconclusive in {len(calm)} hardened runs.**"
    parts = (HEAD, said, _weak(tried), "## The hardened platform", _hardened(calm))
    return pages.page("Weak platforms: what must be found", COMMAND, rows, *parts)


def _weak(tried: Sequence[tuple[Weakness, list[Row]]]) -> str:
    heads = ("weakness", "experiment", "caught", "by", "its sentence", "failed, too")
    return pages.table(heads, [_line(one, those) for one, those in tried])


def _line(one: Weakness, those: list[Row]) -> tuple[object, ...]:
    last, number = those[-1], sum(caught(one, row) for row in those)
    said = last["failed"].get(one.check) or f"{last['verdict']}: {last['sentence']}"
    others = sorted({name for row in those for name in row["failed"]} - {one.check})
    return one.name, one.experiment, f"{number} of {len(those)}", one.check, said, ", ".join(others) or "–"


def _hardened(rows: Sequence[Row]) -> str:
    return pages.table(("experiment", "verdict", "what was said"), [(row["experiment"], row["verdict"], row["sentence"]) for row in rows])
