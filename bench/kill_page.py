"""The kill campaign's table as a page."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

Row = dict[str, Any]
HEAD = """# The suite is ended at random moments: what outlives it

Written by `python -m bench.kill --write docs/kill-campaign.md` from its own table; `python -m bench.kill` adds trials.
Each trial starts a run of the suite on a small platform of its own (profile brief), waits for a randomly drawn phase, and after a
random delay ends it: SIGKILL to the whole process tree at once, or SIGTERM or SIGINT to its head. A fault counts as alive if its effect
can be seen on its target once its own deadline, or the reaper's time (a lease of 15 s, a look every 2 s, slack; 25 s more for a machine
to boot), has passed. Left over is what a second look finds after one `heal`.
"""


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    struck = [row for row in rows if row["struck"] and not row["refused"].startswith(("target", "leftovers", "lease"))]
    kills, asks = [row for row in struck if row["signal"] == "SIGKILL"], [row for row in struck if row["signal"] != "SIGKILL"]
    parts = [HEAD, _sums("SIGKILL", kills), _sums("SIGTERM, SIGINT", asks), _acknowledged(asks)]
    parts.append(f"{len(rows) - len(struck)} more sessions were not struck (they ended before their moment) or refused: not counted.\n")
    parts += [_table(kills, "SIGKILL"), _table(asks, "SIGTERM or SIGINT")]
    parts.append("Commits: " + ", ".join(sorted({row["commit"] for row in struck})) + "\n")
    bad = [row for row in struck if row["alive"] or row["left_after_heal"]]
    parts += [_bad(row) for row in bad]
    return "\n".join(parts) + "\n"


def _bad(row: Row) -> str:
    what = f"{row['alive']} for {row['alive_for_s']} s; left {row['left_after_heal']}"
    return f"- trial {row['number']} ({row['family']}, {row['phase']}): {what}"


def _sums(name: str, rows: list[Row]) -> str:
    late, left = sum(bool(row["alive"]) for row in rows), sum(bool(row["left_after_heal"]) for row in rows)
    sessions = sum(row["session"] == "pytest" for row in rows)
    return (
        f"**{name}**: {len(rows)} trials ({sessions} of them whole pytest sessions): {late} with a fault alive after its deadline, "
        f"{left} in whose round something was left after heal.\n"
    )


def _acknowledged(rows: list[Row]) -> str:
    lines = []
    for key, what in (
        ("acknowledged_s", "signal to start of healing"),
        ("undone_s", "signal to last undo done"),
        ("clean_s", "signal to platform proven as before"),
    ):
        values = sorted(row[key] for row in rows if key in row)
        if values:
            lines.append(f"| {what} | {len(values)} | {median(values):.2f} | {values[-1]:.2f} |")
    return "\n".join(["| s | trials | median | worst |", "|---|---|---|---|", *lines]) + "\n"


def _table(rows: list[Row], name: str) -> str:
    phases = [
        phase
        for phase in ("start", "preflight", "baseline", "write-ahead", "inject", "confirm", "observe", "scene", "heal", "settle")
        if any(row["phase"] == phase for row in rows)
    ]
    counts = Counter((row["family"], row["phase"]) for row in rows)
    families = sorted({row["family"] for row in rows})
    lines = [
        f"{name}: trials by fault and the phase in which they were struck",
        "",
        f"| fault | {' | '.join(phases)} | all |",
        "|---" * (len(phases) + 2) + "|",
    ]
    for family in families:
        cells = [str(counts[family, phase] or "") for phase in phases]
        lines.append(f"| {family} | {' | '.join(cells)} | {sum(counts[family, phase] for phase in phases)} |")
    return "\n".join(lines) + "\n"
