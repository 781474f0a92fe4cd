"""The joint table as a page of docs/."""

from __future__ import annotations

from collections.abc import Iterable

from bench.common import pages
from bench.common.tables import Row
from bench.mutations.cases import MEMORY, PASS, PLATFORM

TWIN = "twin"
PARTS = {
    "fault": "Broken faults",
    "probe": "Broken probes",
    "load": "Broken loads",
    "history": "Broken histories",
    TWIN: "Twins: the same without the flaw",
}


def wrong(rows: Iterable[Row]) -> list[str]:
    """Return the names of rows that are not as their case demands."""
    return [row["name"] for row in rows if not row["right"] or (row["verdict"] == PASS) is (row["part"] != TWIN)]


def page(rows: list[Row], command: str) -> str:
    """Return the page: what was broken, what the verdict was, and what it says. ``rows``: one a case and place."""
    cases: dict[str, list[Row]] = {}
    for row in rows:
        cases.setdefault(row["name"], []).append(row)
    mutants = [of_case for of_case in cases.values() if of_case[0]["part"] != TWIN]
    twins = [of_case for of_case in cases.values() if of_case[0]["part"] == TWIN]
    passed = sum(any(row["verdict"] == PASS for row in of_case) for of_case in mutants)
    named = sum(all(row["right"] for row in of_case) for of_case in mutants)
    held = sum(all(row["verdict"] == PASS for row in of_case) for of_case in twins)
    count = {where: sum(any(row["where"] == where for row in of_case) for of_case in mutants) for where in (MEMORY, PLATFORM)}
    return pages.page(
        "Mutation test of the suite",
        command,
        rows,
        "What measures is broken on purpose: the suite must notice, and say what it was.",
        f"**{passed} of {len(mutants)} mutants pass; {named} of {len(mutants)} are named by the check that must name them; "
        f"{held} of {len(twins)} twins pass.**",
        f"{count[MEMORY]} mutants are carried through the suite's own collection, preflight, phases and verdict. Load and server are real, "
        f"the API is in memory. {count[PLATFORM]} (also) are whole sessions of `pytest -m chaos` on the embedded platform. There "
        "only the clock is shorter (baseline and hold 5 s, evidence within 6 s) and the SLO is 95 %, so that fewer requests support it. "
        "The others are recorded runs of known truth, edited as a broken recorder, clock, load, probe or fault would have left them.",
        "What no row covers: an evidence probe that lies only once the fault has begun, and a load that invents answers. "
        "Evidence is therefore never the injector's own word, and answers are checked against the right ones.",
        *(_part(title, [of_case for of_case in cases.values() if of_case[0]["part"] == part]) for part, title in PARTS.items()),
    )


def _part(title: str, cases: list[list[Row]]) -> str:
    return f"## {title} ({len(cases)})\n\n" + pages.table(
        ("case", "in memory", "platform", "check", "its sentence"), (_cells(of_case) for of_case in cases)
    )


def _cells(of_case: list[Row]) -> tuple[str, ...]:
    last = of_case[-1]
    verdicts = {row["where"]: row["verdict"] + ("" if row["right"] else " **(not as demanded)**") for row in of_case}
    in_memory = verdicts.get(MEMORY, verdicts.get("recorded", "–"))
    return last["name"], in_memory, verdicts.get(PLATFORM, "–"), last["check"], last["sentence"]
