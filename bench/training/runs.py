"""``python -m bench.training.runs``: stored runs that followed a training job, each judged again, a row each and none left out.

``--write FILE`` publishes the page. How busy the machine was belongs to every row: a job on two cores is as quick as they are free.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import polars as pl

from bench.common import pages
from bench.common.tables import ROOT, Row
from history.errors import HistoryError
from history.reader import Run, read_run
from history.result import Measurement, RunVerdict, Verdict
from history.schema import Series
from verdict import judge

RUNS = ROOT / "reports" / "out" / "runs"
COMMAND = "python -m bench.training.runs RUN... --write docs/results/training-runs.md"
HEAD = """From stored runs of `pytest -m "chaos and (training or storage)"` on the embedded cluster.
Three ranks, 5 steps/s, a checkpoint every 10 steps. What the columns mean: [training.md](../training.md).
*idle*: share of the machine's processors that nobody used, on average from the fault on.
"""
COLUMNS = ("experiment", "run", "verdict", "RTO", "first step", "steps lost", "ETTR", "largest RPO gauge", "states that differ")
PHASES = ("went_on", "replace", "gang", "restore", "first_step", "replay")


def cells_of(run: Run) -> list[str]:
    """Return the row of a run that followed a training job."""
    verdict = judge(run)
    figures = [
        seconds(verdict_figure(verdict, "rto_train")),
        seconds(verdict_figure(verdict, "rto_train_first")),
        number(verdict_figure(verdict, "lost_steps")),
        number(verdict_figure(verdict, "ettr"), ".0%"),
        seconds(verdict_figure(verdict, "verified_age")),
        of_all(verdict_figure(verdict, "states_differing")),
    ]
    return [run.plan.experiment.id, run.plan.run_id, outcome(verdict), *figures, longest(verdict), idle(run, verdict)]


def verdict_figure(verdict: RunVerdict, name: str) -> Measurement:
    """Return a measurement by its name. Raises KeyError: there is none."""
    return {measurement.name: measurement for measurement in verdict.measurements}[name]


def outcome(verdict: RunVerdict) -> str:
    """Return the verdict, and which checks it is for where it is no PASS."""
    if verdict.verdict is Verdict.PASS:
        return verdict.verdict.value
    return f"{verdict.verdict.value}: {', '.join(check.name for check in verdict.checks if check.verdict is verdict.verdict)}"


def seconds(measured: Measurement) -> str:
    """Return a duration; a lower bound as such."""
    if measured.value is None:
        return "–"
    return f"> {measured.value:.1f} s" if measured.censored else f"{measured.value:.1f} s" if measured.value else "none"


def number(measured: Measurement, style: str = ".0f") -> str:
    """Return a count or a share."""
    return "–" if measured.value is None else format(measured.value, style)


def of_all(measured: Measurement) -> str:
    """Return how many, of how many that were compared."""
    return "–" if measured.value is None else f"{measured.value:.0f} {measured.sentence}"


def longest(verdict: RunVerdict) -> str:
    """Return the phase of the recovery that took longest; none where nothing was out."""
    times = {name: verdict_figure(verdict, f"phase_{name}").value or 0.0 for name in PHASES}
    name = max(times, key=times.__getitem__)
    return f"{name.replace('_', ' ')}, {times[name]:.1f} s" if times[name] else "–"


def idle(run: Run, verdict: RunVerdict) -> str:
    """Return the mean idle share of the machine from the fault on; a dash where nobody recorded it."""
    since_ns = verdict.fault.started_ns if verdict.fault and verdict.fault.started_ns else 0
    rows = run.samples.filter((pl.col("series") == Series.MACHINE_IDLE.value) & (pl.col("t_ns") >= since_ns))["value"]
    shares = rows.drop_nulls().to_list()
    return f"{fmean(shares):.0%}" if shares else "–"


def training_runs(paths: Iterable[Path]) -> list[Run]:
    """Return all runs among ``paths`` that followed a training job, by experiment; what cannot be read is said."""
    runs = []
    for path in paths:
        try:
            run = read_run(path)
        except HistoryError as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        if run.plan.training is not None:
            runs.append(run)
    return sorted(runs, key=lambda run: (run.plan.experiment.id, run.plan.run_id))


def main() -> int:
    """Print the table, or write the page; exit 1 if there is no such run."""
    parser = pages.parser_of("bench.training.runs", __doc__)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of reports/out/runs)")
    options = parser.parse_args()
    runs = training_runs(options.runs or sorted(path.parent for path in RUNS.glob("*/plan.json")))
    rows = pages.table((*COLUMNS, "longest phase", "idle"), map(cells_of, runs))
    pages.publish(pages.page("Training under faults", COMMAND, map(circumstances_of, runs), HEAD, rows), options.write)
    return int(not runs)


def circumstances_of(run: Run) -> Row:
    """Return when a run was made: a run notes neither the suite's commit nor the load average."""
    return {"measured_at": datetime.fromtimestamp(run.plan.created_ns / 1e9, UTC).isoformat(timespec="seconds")}


if __name__ == "__main__":
    sys.exit(main())
