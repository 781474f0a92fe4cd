"""The trials as a table."""

from __future__ import annotations

from bench.campaigns.alone.trial import missed
from bench.campaigns.alone.trials import LEFT_OUT, trials
from bench.common import pages
from bench.common.tables import Row

COMMAND = "python -m bench.campaigns.alone --write FILE"
HEAD = """Each fault once, without load, on a platform of a few small pods: with preflight, leases and journal, as in a run.
Its evidence must be untrue before it, and true after it; it must end by itself where it should, else when it is undone. Then everything
must be well again, and nothing of the suite may be left. Times are seconds after the fault began, or after its undo
began where that ends it, each beside its bound.
"""


def newest(rows: list[Row]) -> dict[str, Row]:
    """Return the newest trial of each fault, by its name."""
    return {row["fault"]: row for row in rows if "fault" in row}


def lacking(rows: list[Row]) -> list[str]:
    """Return the faults that are still to be tried: never, or not as they should be the last time."""
    done = newest(rows)
    return [name for name in trials() if name not in done or missed(done[name])]


def families(names: list[str]) -> list[str]:
    """Return the families of faults: the modules that register them."""
    return sorted({name.split(".")[1] for name in names})


def body(rows: list[Row]) -> str:
    """Return what was tried: how many of how many, each trial, and what is not tried (Markdown)."""
    done, every = newest(rows), list(trials())
    proven = [name for name in every if name in done and not missed(done[name])]
    whole = [one for one in families(every) if not {name for name in every if name.split(".")[1] == one} - set(proven)]
    lines = [_line(done[name]) for name in every if name in done]
    heads = ("fault", "evidence", "proven (s)", "bound", "over (s)", "bound", "how it ended", "")
    parts = [
        f"{len(proven)} of {len(every)} faults acted, were proven and ended, and left nothing; {len(whole)} of {len(families(every))} "
        f"families have all of theirs: {', '.join(whole) or 'none'}.",
        pages.table(heads, lines),
        "\n".join(f"- `{name}`: not tried yet" for name in every if name not in done),
        "\n".join(f"- `{name}`: left out, {why}" for name, why in LEFT_OUT.items()),
    ]
    return "\n\n".join(part for part in parts if part)


def _line(row: Row) -> tuple[object, ...]:
    proven, over = (row.get(key) for key in ("proven_s", "ended_s"))
    return (
        f"`{row['fault']}`",
        f"`{row['evidence']}`",
        "no" if proven is None else f"{proven:g}",
        f"{row['confirm_limit_s']:g}",
        "no" if over is None else f"{over:g}",
        f"{row['end_limit_s']:g}",
        row.get("ended", ""),
        "; ".join(missed(row)) or "proven",
    )


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    return pages.page("Each fault alone", COMMAND, list(newest(rows).values()), HEAD, body(rows))
