"""The page: the same experiments by Chaos Mesh and by the suite itself, run by run, and the deletion that hung."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bench.common import pages
from bench.common.tables import Row
from bench.comparison.engines.page import ABSENT, Run
from history.reader import read_plan, read_table
from history.result import RunVerdict
from history.schema import EventKind

COMMAND = "make chaos-mesh && python -m bench.comparison.chaos_mesh --write docs/results/chaos-mesh.md"
HEAD = """The shipped experiments, unchanged, on one embedded cluster with Chaos Mesh's own controller, daemon and chart. In the first pass
`chaos_mesh` stands in the target's region: faults are objects of Chaos Mesh, and no fault pod runs. In the second it is left out. Each row
is one run, none is left out. What the first pass cannot make is skipped by name, so it has fewer rows."""
WORDS = """- Made after: from the stamped beginning of the fault until its controller said that it had acted. The stamp is before the object
  is made, so an RTO includes this time.
- Seen after: from the same stamp until the run's own probe proved the fault. No word of Chaos Mesh's is evidence.
- Ended: by what, as the run's record says."""
HANG = """A pod that nobody depends on was cut off by a NetworkChaos for ten minutes. Then all daemons were sent away, and the cut was to be
ended. Nobody took the finalizer away."""


def page(passes: list[Row], hangs: list[Row]) -> str:
    """Return the page (Markdown)."""
    return pages.page("Faults by Chaos Mesh", COMMAND, [*passes, *hangs], HEAD, _runs(passes), WORDS, _hangs(hangs))


def _runs(passes: list[Row]) -> str:
    heads = ("made by", "experiment", "verdict", "RTO", "availability", "made after", "seen after", "ended", "its sentence")
    return pages.table(heads, [_cells(row, folder) for row in passes for folder in _folders(row)])


def _folders(row: Row) -> Iterator[Path]:
    """Yield the folders of a pass's runs in the order in which they were made."""
    yield from sorted((file.parent for file in Path(row["out"], "runs").glob("*/verdict.json")), key=lambda one: read_plan(one).created_ns)


def _cells(row: Row, folder: Path) -> tuple[object, ...]:
    run = Run(read_plan(folder), RunVerdict.model_validate_json((folder / "verdict.json").read_text()))
    seen_s, ended = _seen_and_ended(folder)
    figures = (run.checked("rto"), run.checked("availability", ""), _made_after(folder), seen_s, ended)
    return (row["mechanism"], run.plan.experiment.id, run.verdict.verdict.value, *figures, run.verdict.sentence)


def _made_after(folder: Path) -> str:
    """Return how long the controller took by the faults' own accounts; nothing where it was not asked."""
    journal = json.loads((folder / "journal.json").read_text())
    outputs = [found for entry in journal["run"] if isinstance(found := entry.get("output"), dict)]  # a probe's is a value
    accounts = [one for found in outputs for one in found.get("injector") or [] if isinstance(one, dict)]
    said = [one["controller_said_so_after_s"] for one in accounts if "controller_said_so_after_s" in one]
    return f"{max(said):.2f} s" if said else ABSENT


def _seen_and_ended(folder: Path) -> tuple[str, str]:
    events = read_table(folder, "events")

    def first(kind: EventKind) -> pl.DataFrame:
        return events.filter(pl.col("kind") == kind.value).sort("t_ns").head(1)

    start, seen, end = (first(kind) for kind in (EventKind.FAULT_START, EventKind.FAULT_CONFIRMED, EventKind.FAULT_END))
    after = f"{(seen['t_ns'][0] - start['t_ns'][0]) / 1e9:.2f} s" if len(start) and len(seen) else ABSENT
    return after, json.loads(end["detail"][0]).get("how", ABSENT) if len(end) else ABSENT


def _hangs(hangs: list[Row]) -> str:
    lines = ["## A deletion that hangs", "", HANG, ""]
    for row in hangs:
        lines += [
            f"- said after {row['said_after_s']:g} s: {row['said']}",
            f"- its finalizers then: {', '.join(row['finalizers']) or 'none'}",
            f"- with the daemons back, after {row['then_after_s']:g} s: {row['then']}; the pod answered again",
        ]
    return "\n".join(lines)
