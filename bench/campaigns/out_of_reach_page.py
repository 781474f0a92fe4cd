"""The table of the trials in which the suite lost its API server or its machine, as a page."""

from __future__ import annotations

from collections import Counter
from statistics import median

from bench.campaigns.kill_page import counts as was_struck
from bench.campaigns.kill_page import table
from bench.common.tables import Row

CUT, LOST = "API server cut off", "machine lost"
HEAD = """# The suite loses its API server, or its machine for good

Written by `python -m bench.campaigns.out_of_reach --write docs/results/out-of-reach.md` from its table; without `--write` it adds trials.
The small platforms are those of the [kill campaign](kill-campaign.md), so are the measures of a fault that is alive and of what is left.
"""
ABOUT_CUT = """## The API server is out of reach for 30 s

The session's only way to it is a TCP proxy that breaks every connection and takes none for 30 s, from a random moment of the phase. The
session goes on and heals by itself. A verdict is false if it is FAIL (nothing that these users would notice was done to what serves them),
or PASS without proof that the fault took effect.
"""
ABOUT_LOST = """## The machine of the suite is gone

The session runs in a network namespace of its own, with a card in the nodes' network. At a random moment the card is pulled (nobody hears
its connections end), every process in the namespace is killed, the namespace is removed. What the cluster holds must heal by itself: kernel
timeouts, watchdogs, the machines' controller, the reaper Job.
"""


def counts(row: Row) -> bool:
    """Tell whether a trial counts: as in the kill campaign, and a session whose API server was cut off lived to judge its run."""
    return was_struck(row) and (row["signal"] == LOST or "verdict" in row)


def missed(rows: list[Row]) -> bool:
    """Tell whether a bound was missed."""
    return any(wrong_with(row) for row in rows if counts(row))


def wrong_with(row: Row) -> list[str]:
    """Return what is wrong with a trial."""
    found = [f"alive after its deadline: {one}" for one in row["alive"]]
    found += [f"left after heal: {one}" for one in row["left_after_heal"]]
    if row["traceback"]:
        found.append("a traceback")
    if row["signal"] == CUT:
        found += [f"not undone by the run itself: {one}" for one in row["open"]]
        if is_false(row):
            found.append(f"false verdict {row['verdict']}: {row['sentence']}")
    return found


def is_false(row: Row) -> bool:
    """Tell whether the verdict of a session whose API server was cut off is false."""
    return row["verdict"] == "FAIL" or (row["verdict"] == "PASS" and not row["proven"])


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    cuts = [row for row in rows if counts(row) and row["signal"] == CUT]
    losses = [row for row in rows if counts(row) and row["signal"] == LOST]
    parts = [HEAD, _figures(cuts, losses), ABOUT_CUT, _by_phase(cuts), table(cuts), ABOUT_LOST, table(losses)]
    parts.append(f"{len(rows) - len(cuts) - len(losses)} more sessions ended before their moment, or were refused: not counted.\n")
    parts.append("Commits: " + ", ".join(sorted({row["commit"] for row in cuts + losses})) + "\n")
    parts += [
        f"- trial {row['number']} ({row['signal']}, {row['family']}, {row['phase']}, at {row['commit']}): {one}"
        for row in rows
        for one in _wrong(row)
    ]
    return "\n".join(parts)


def _wrong(row: Row) -> list[str]:
    return wrong_with(row) if counts(row) else []


def _figures(cuts: list[Row], losses: list[Row]) -> str:
    lines = ["| figure | measured | bound |", "|---|---|---|"]
    for name, rows in ((CUT, cuts), (LOST, losses)):
        lines += [
            f"| {name}: a fault was in force | {sum(row['in_force'] for row in rows)} of {len(rows)} | none set |",
            f"| {name}: faults alive after their deadline | {sum(bool(row['alive']) for row in rows)} of {len(rows)} | 0 |",
            f"| {name}: left after heal | {sum(bool(row['left_after_heal']) for row in rows)} of {len(rows)} | 0 |",
        ]
    lines += [
        f"| {CUT}: sessions with a traceback | {sum(row['traceback'] for row in cuts)} of {len(cuts)} | 0 |",
        f"| {CUT}: false verdicts | {sum(is_false(row) for row in cuts)} of {len(cuts)} | 0 |",
        f"| {CUT}: not undone by the session itself once it is back | {sum(bool(row['open']) for row in cuts)} of {len(cuts)} | 0 |",
    ]
    return "\n".join(lines) + "\n"


def _by_phase(rows: list[Row]) -> str:
    lines = [
        "| struck in | trials | a fault was in force | PASS, proven | INCONCLUSIVE | FAIL | seconds from cut to end: median, worst |",
        "|---|---|---|---|---|---|---|",
    ]
    for phase in sorted({row["phase"] for row in rows}):
        those = [row for row in rows if row["phase"] == phase]
        verdicts, lasted = Counter(row["verdict"] for row in those), [row["lasted_s"] for row in those]
        figures = [len(those), sum(row["in_force"] for row in those), *(verdicts[one] for one in ("PASS", "INCONCLUSIVE", "FAIL"))]
        cells = " | ".join(str(figure) for figure in figures)
        lines.append(f"| {phase} | {cells} | {median(lasted):.0f}, {max(lasted):.0f} |")
    return "\n".join(lines) + "\n"
