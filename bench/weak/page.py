"""The table of weak platforms in Markdown: weakness, caught or not, by which check or risk, its sentence, its cause."""

from __future__ import annotations

from collections.abc import Sequence

from bench.common import pages
from bench.common.tables import Row
from bench.weak.trial import NONE
from bench.weak.weaknesses import RISK, TARGETS, WEAKNESSES, Weakness

COMMAND = "make deploy && python -m bench.weak --write docs/results/weak-platforms.md"
HEAD = """A row is a platform with one seeded weakness (`workloads/manifests/weak/NAME`, a patch on the hardened one) under the experiment
that looks for it. `caught`: the check that the row names says FAIL, or, of a `risk`, the report names that risk; INCONCLUSIVE is not
caught. `cause`: in how many runs the advice names the cause that the weakness is. The hardened platform meets the same
experiments, and a FAIL there is a false alarm. The campaign can be resumed: a trial is kept by the digest of its experiment, target and
manifests, of the faults and of the code of verdicts."""


def caught(weakness: Weakness, row: Row) -> bool:
    """Tell whether a trial of ``weakness`` found it: FAIL, by the check that must name it, or the risk that must be named."""
    return bool(named_risk(weakness, row)) if weakness.check == RISK else weakness.check in row["failed"]


def named_risk(weakness: Weakness, row: Row) -> str:
    """Return the risk that names ``weakness``; empty: none does."""
    return next((risk for risk in row["risks"] if any(part in risk for part in weakness.says)), "")


def page(rows: Sequence[Row]) -> str:
    """Return the page (Markdown) of ``rows``."""
    calm = [row for row in rows if row["variant"] in TARGETS]
    found = [(one, [row for row in rows if row["variant"] == one.variant]) for one in WEAKNESSES]
    tried = [(one, those) for one, those in found if those]
    parts = (HEAD, f"**{_summary(tried)}; {_alarms(calm)}.**", _weak(tried), "## The hardened platform", _hardened(calm))
    return pages.page("Weak platforms: what must be found", COMMAND, rows, *parts)


def _summary(tried: Sequence[tuple[Weakness, list[Row]]]) -> str:
    every = sum(all(caught(one, row) for row in those) for one, those in tried)
    with_cause = [(one, those) for one, those in tried if one.cause]
    named = sum(all(one.cause in row["causes"] for row in those) for one, those in with_cause)
    return f"{every} of {len(tried)} weaknesses caught in every run, and of {named} of {len(with_cause)} that failed the cause was named"


def _alarms(calm: Sequence[Row]) -> str:
    alarms, unsure = (sum(row["verdict"] == verdict for row in calm) for verdict in ("FAIL", "INCONCLUSIVE"))
    none = sum(row["verdict"] == NONE for row in calm)
    without = f", {none} without a verdict," if none else ""
    return f"{alarms} false alarms and {unsure} inconclusive{without} in {len(calm)} hardened runs"


def _weak(tried: Sequence[tuple[Weakness, list[Row]]]) -> str:
    heads = ("weakness", "experiment", "caught", "by", "its sentence", "failed, too", "cause")
    return pages.table(heads, [_line(one, those) for one, those in tried])


def _line(one: Weakness, those: list[Row]) -> tuple[object, ...]:
    last, number = those[-1], sum(caught(one, row) for row in those)
    said = last["failed"].get(one.check) or named_risk(one, last) or f"{last['verdict']}: {last['sentence']}"
    others = sorted({name for row in those for name in row["failed"]} - {one.check})
    return one.name, one.experiment, f"{number} of {len(those)}", one.check, said, ", ".join(others) or "–", _cause(one, those)


def _cause(one: Weakness, those: list[Row]) -> str:
    return f"{one.cause}: {sum(one.cause in row['causes'] for row in those)} of {len(those)}" if one.cause else "–"


def _hardened(rows: Sequence[Row]) -> str:
    return pages.table(("experiment", "verdict", "what was said"), [(row["experiment"], row["verdict"], row["sentence"]) for row in rows])
