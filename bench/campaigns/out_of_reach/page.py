"""The table of the trials in which the suite lost its API server or its machine, as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from statistics import median

from bench.campaigns.kill.page import counts as was_struck
from bench.campaigns.kill.page import table
from bench.common import pages
from bench.common.tables import Row

CUT, LOST = "API server cut off", "machine lost"
COMMAND = "python -m bench.campaigns.out_of_reach --write docs/results/out-of-reach.md"
HEAD = """Without `--write` the command adds trials to its own table.
The small platforms are those of the [kill campaign](kill-campaign.md), so are the measures of a fault that is alive and of what is left.
"""
ABOUT_CUT = """## The API server is out of reach for 30 s

The session's only way to it is a TCP proxy that breaks every connection and takes none for 30 s, from a random moment of the phase. The
session goes on and heals by itself. A verdict is false if it is FAIL, since nothing that these users would notice was done to what serves
them. It is false, too, if it is PASS without proof that the fault took effect.
"""
ABOUT_LOST = """## The machine of the suite is gone

The session runs in a network namespace of its own, with a card in the nodes' network. At a random moment the card is pulled: nobody hears
its connections end. Then every process in the namespace is killed and the namespace is removed. What the cluster holds must heal by itself:
kernel timeouts, watchdogs, the machines' controller, the reaper Job.
"""


def counts(row: Row) -> bool:
    """Tell whether a trial counts: as in the kill campaign, and a session whose API server was cut off lived to judge its run."""
    return was_struck(row) and (row["signal"] == LOST or "verdict" in row)


def missed(rows: list[Row]) -> bool:
    """Tell whether a bound was missed."""
    return any(wrong_with(row) for row in rows if counts(row))


def wrong_with(row: Row) -> list[str]:
    """Return what is wrong with a trial."""
    wrong = [f"alive after its deadline: {effect}" for effect in row["alive"]]
    wrong += [f"left after heal: {left}" for left in row["left_after_heal"]]
    if row["traceback"]:
        wrong.append("a traceback")
    if row["signal"] == CUT:
        wrong += [f"not undone by the run itself: {target}" for target in row["open"]]
        if is_false(row):
            wrong.append(f"false verdict {row['verdict']}: {row['sentence']}")
    return wrong


def is_false(row: Row) -> bool:
    """Tell whether the verdict of a session whose API server was cut off is false."""
    return row["verdict"] == "FAIL" or (row["verdict"] == "PASS" and not row["proven"])


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    cuts = [row for row in rows if counts(row) and row["signal"] == CUT]
    losses = [row for row in rows if counts(row) and row["signal"] == LOST]
    parts = [HEAD, _figures(cuts, losses), ABOUT_CUT, _by_phase(cuts), table(cuts), ABOUT_LOST, table(losses)]
    parts.append(f"{len(rows) - len(cuts) - len(losses)} more sessions ended before their moment, or were refused: not counted.")
    bad = [
        f"- trial {row['number']} ({row['signal']}, {row['family']}, {row['phase']}, at {row['commit']}): {wrong}"
        for row in rows
        if counts(row)
        for wrong in wrong_with(row)
    ]
    return pages.page("The suite loses its API server, or its machine for good", COMMAND, cuts + losses, *parts, "\n".join(bad))


def _figures(cuts: list[Row], losses: list[Row]) -> str:
    lines = []
    for name, rows in ((CUT, cuts), (LOST, losses)):
        lines += [
            (f"{name}: a fault was in force", f"{sum(row['in_force'] for row in rows)} of {len(rows)}", "none set"),
            _bounded(f"{name}: faults alive after their deadline", rows, lambda row: bool(row["alive"])),
            _bounded(f"{name}: left after heal", rows, lambda row: bool(row["left_after_heal"])),
        ]
    lines += [
        _bounded(f"{CUT}: sessions with a traceback", cuts, lambda row: bool(row["traceback"])),
        _bounded(f"{CUT}: false verdicts", cuts, is_false),
        _bounded(f"{CUT}: not undone by the session itself once it is back", cuts, lambda row: bool(row["open"])),
    ]
    return pages.table(("figure", "measured", "bound"), lines)


def _bounded(name: str, rows: list[Row], bad: Callable[[Row], bool]) -> tuple[str, str, str]:
    return name, f"{sum(bad(row) for row in rows)} of {len(rows)}", "0"


def _by_phase(rows: list[Row]) -> str:
    heads = ("struck in", "trials", "a fault was in force", "PASS, proven", "INCONCLUSIVE", "FAIL")
    lines = []
    for phase in sorted({row["phase"] for row in rows}):
        those = [row for row in rows if row["phase"] == phase]
        verdicts, lasted = Counter(row["verdict"] for row in those), [row["lasted_s"] for row in those]
        counts = (verdicts[name] for name in ("PASS", "INCONCLUSIVE", "FAIL"))
        times = f"{median(lasted):.0f}, {max(lasted):.0f}"
        lines.append((phase, len(those), sum(row["in_force"] for row in those), *counts, times))
    return pages.table((*heads, "seconds from cut to end: median, worst"), lines)
