"""The table as a page: the machine, the cluster's life, each fault, each figure beside its bound."""

from __future__ import annotations

from bench.campaigns.alone import page as alone
from bench.cgroup2 import speed
from bench.common import pages
from bench.common.tables import Row

COMMAND = "python -m bench.cgroup2 --write docs/results/cgroup2.md"
STEPS = {"machine": "control groups are version 2 only", "up": "the cluster is up", "pod": "one pod runs", "down": "down leaves nothing"}
HEAD = """Without `--write` the command boots a virtual machine and adds to its own table what is missing there.
The machine is QEMU's, with Debian's kernel and control groups of version 2 alone; its root is this machine's, read-only. Limits are those
of a real processor times how much slower the virtual one was measured to be, before the cluster was started; none is loosened elsewhere.
"""


def newest(rows: list[Row]) -> dict[str, Row]:
    """Return the newest row of each step, by its name."""
    return {row["step"]: row for row in rows if "step" in row}


def missed(rows: list[Row]) -> bool:
    """Tell whether something is missing, or was not as it must be the last time."""
    steps = newest(rows)
    return any(name not in steps or steps[name]["wrong"] for name in STEPS) or bool(alone.lacking(rows))


def page(rows: list[Row]) -> str:
    """Return the page (Markdown)."""
    steps = newest(rows)
    lines = [_line(name, steps[name]) for name in STEPS if name in steps]
    parts = [
        HEAD,
        _machine(steps["machine"]) if "machine" in steps else "",
        pages.table(("step", "measured (s)", "bound (s)", ""), lines),
        alone.body(rows),
    ]
    return pages.page("cgroup v2: the cluster and every fault", COMMAND, [*steps.values(), *alone.newest(rows).values()], *parts)


def _machine(row: Row) -> str:
    factors = f"{row['slower_by']:g} times slower than this one (bound: {speed.MOST:g})"
    return f"Kernel {row['kernel']}, accelerator {row['accelerator']}, {factors}; controllers: {', '.join(row['controllers'])}."


def _line(name: str, row: Row) -> tuple[object, ...]:
    seen = f" ({row['group']})" if row.get("group") else f" ({', '.join(row['nodes'])})" if row.get("nodes") else ""
    return STEPS[name] + seen, row.get("seconds", ""), row.get("limit_s", ""), "; ".join(row["wrong"]) or "as it must be"
