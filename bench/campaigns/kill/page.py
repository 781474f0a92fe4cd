"""The kill campaign's table as a page."""

from __future__ import annotations

from collections import Counter
from math import inf
from statistics import median

from bench.common import pages
from bench.common.tables import Row
from history.plan import Phase

PHASES = [phase.value for phase in Phase]
HEALING = PHASES[PHASES.index(Phase.HEAL) :]  # a signal that comes then finds the undo under way
BOUND_S = 5.0
TIMES = (  # key, what it is, bound (s); 0: none
    ("acknowledged_s", "healing begins", BOUND_S),
    ("undone_s", "the last undo is acknowledged, and so in the journal", BOUND_S),
    ("clean_s", "the platform is proven as before (Ready)", 0.0),
)
COMMAND = "python -m bench.campaigns.kill --write docs/results/kill-campaign.md"
HEAD = """Without `--write` the command adds trials to its own table.
Each trial starts a run of the suite on a small platform of its own (profile brief) and waits for a randomly drawn phase. After a random
delay it ends the run: SIGKILL to the whole process tree at once, or SIGTERM or SIGINT to its head.
A fault counts as alive if its effect can still be seen on its target when its time is over. That time is its own deadline, or the reaper's
(a lease of 15 s, a look every 2 s, slack; 25 s more for a machine to boot). Left over is what a second look finds after one `heal`.
The same without an API server for a while, and with the whole machine lost: [out-of-reach.md](out-of-reach.md).
"""
LATE = """An undo is acknowledged once the cluster says so: a fault pod once its kubelet has ended it. A node that was silenced hears nobody
before its time (15 s) is over. Later than 5 s:
"""


def counts(row: Row) -> bool:
    """Tell whether a trial counts: it was struck after its run began, and was not refused for what another left."""
    return row["struck"] and row["phase"] != "start" and not row["refused"].startswith(("target", "leftovers", "lease"))


def missed(rows: list[Row]) -> bool:
    """Tell whether a bound was missed: a fault alive after its deadline, something left, healing not begun within 5 s."""
    struck = [row for row in rows if counts(row)]
    asked = [row for row in struck if row["signal"] != "SIGKILL" and in_force(row) and row["phase"] not in HEALING]
    late = any(row.get("acknowledged_s", inf) > BOUND_S for row in asked)
    return late or any(row["alive"] or row["left_after_heal"] for row in struck)


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    struck = [row for row in rows if counts(row)]
    kills, asks = [row for row in struck if row["signal"] == "SIGKILL"], [row for row in struck if row["signal"] != "SIGKILL"]
    struck_by = (("SIGKILL", kills), ("SIGTERM or SIGINT", asks))
    parts = [HEAD, _sums("SIGKILL", kills), _sums("SIGTERM, SIGINT", asks), *_acknowledged(asks)]
    parts.append(f"{len(rows) - len(struck)} more sessions were struck before their run began, had ended, or were refused: not counted.")
    parts += [f"{name}: trials by fault and the phase in which they were struck\n\n{table(trials)}" for name, trials in struck_by]
    parts.append("\n".join(_bad(row) for row in struck if row["alive"] or row["left_after_heal"]))
    return pages.page("The suite is ended at random moments: what outlives it", COMMAND, struck, *parts)


def _bad(row: Row) -> str:
    what = f"{row['alive']} for {row['alive_for_s']} s; left {row['left_after_heal']}"
    why = f". {row['note']}" if "note" in row else ""  # written into the table by who looked into it
    return f"- trial {row['number']} ({row['family']}, {row['phase']}, at {row['commit']}): {what}{why}"


def _sums(name: str, rows: list[Row]) -> str:
    late, left = sum(bool(row["alive"]) for row in rows), sum(bool(row["left_after_heal"]) for row in rows)
    sessions = sum(row["session"] == "pytest" for row in rows)
    return (
        f"**{name}**: {len(rows)} trials ({sessions} of them whole pytest sessions): {late} with a fault alive after its deadline, "
        f"{left} in whose round something was left after heal."
    )


def _acknowledged(rows: list[Row]) -> list[str]:
    """Return the table of times after the signal, of the sessions in which a fault was in force when it came."""
    struck = [row for row in rows if in_force(row)]
    lines = []
    for key, what, bound_s in TIMES:
        values = sorted(row[key] for row in struck if key in row)
        if values:
            bound = f"{sum(value <= bound_s for value in values)} of {len(values)} within {bound_s:g} s" if bound_s else "none set"
            lines.append((what, len(values), f"{median(values):.2f}", f"{values[-1]:.2f}", bound))
    head = f"A fault was in force in {len(struck)} of them. Seconds after the signal:"
    late = [row for row in struck if row.get("undone_s", 0.0) > BOUND_S]
    lates = "\n".join(f"- trial {row['number']} ({row['family']}, {row['phase']}): {row['undone_s']:.1f} s" for row in late)
    return [head, pages.table(("", "trials", "median", "worst", "bound"), lines), *([LATE, lates] if late else [])]


def in_force(row: Row) -> bool:
    """Tell whether a fault was in force when the signal came; rows of the first rounds tell it by the undo that followed."""
    return bool(row.get("in_force", "undone_s" in row))


def table(rows: list[Row]) -> str:
    """Return how many trials there were of each fault in each phase (Markdown)."""
    phases = [phase for phase in PHASES if any(row["phase"] == phase for row in rows)]
    count = Counter((row["family"], row["phase"]) for row in rows)
    families = sorted({row["family"] for row in rows})
    lines = [(of, *(count[of, phase] or "" for phase in phases), sum(count[of, phase] for phase in phases)) for of in families]
    return pages.table(("fault", *phases, "all"), lines)
