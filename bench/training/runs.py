"""``python -m bench.training.runs [RUN...]``: stored runs that followed a training job, each judged again, a row each and none left out.

``--write FILE`` publishes the page. How busy the machine was belongs to every row: a job on two cores is as quick as they are free.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import polars as pl

from history.errors import HistoryError
from history.reader import Run, read_run
from history.result import Measurement, RunVerdict, Verdict
from history.schema import Series
from verdict import judge

HEAD = """# Training under faults

Made by `python -m bench.training.runs RUN... --write docs/results/training-runs.md` from stored runs of `pytest -m "chaos and (training or
storage)"` on the embedded cluster: three ranks, 5 steps/s, a checkpoint every 10 steps. What the columns mean:
[training.md](../training.md).
*idle*: share of the machine's processors that nobody used, on average from the fault on.

| experiment | run | verdict | RTO | first step | steps lost | ETTR | largest RPO gauge | states that differ | longest phase | idle |
|---|---|---|---|---|---|---|---|---|---|---|
"""
RUNS = Path(__file__).parents[2] / "reports" / "out" / "runs"
PHASES = ("went_on", "replace", "gang", "restore", "first_step", "replay")


def row_of(run: Run) -> str:
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
    cells = [run.plan.experiment.id, run.plan.run_id, said(verdict), *figures, longest(verdict), idle(run, verdict)]
    return f"| {' | '.join(cells)} |"


def verdict_figure(verdict: RunVerdict, name: str) -> Measurement:
    """Return a measurement by its name. Raises KeyError: there is none."""
    found = verdict.measurement(name)
    if found is None:
        raise KeyError(name)
    return found


def said(verdict: RunVerdict) -> str:
    """Return the verdict, and which checks it is for where it is no PASS."""
    if verdict.verdict is Verdict.PASS:
        return verdict.verdict.value
    return f"{verdict.verdict.value}: {', '.join(check.name for check in verdict.checks if check.verdict is verdict.verdict)}"


def seconds(one: Measurement) -> str:
    """Return a duration; a lower bound as such."""
    if one.value is None:
        return "–"
    return f"> {one.value:.1f} s" if one.censored else f"{one.value:.1f} s" if one.value else "none"


def number(one: Measurement, style: str = ".0f") -> str:
    """Return a count or a share."""
    return "–" if one.value is None else format(one.value, style)


def of_all(one: Measurement) -> str:
    """Return how many, of how many that were compared."""
    return "–" if one.value is None else f"{one.value:.0f} {one.sentence}"


def longest(verdict: RunVerdict) -> str:
    """Return the phase of the recovery that took longest; none where nothing was out."""
    found = {name: verdict_figure(verdict, f"phase_{name}").value or 0.0 for name in PHASES}
    name = max(found, key=lambda one: found[one])
    return f"{name.replace('_', ' ')}, {found[name]:.1f} s" if found[name] else "–"


def idle(run: Run, verdict: RunVerdict) -> str:
    """Return the mean idle share of the machine from the fault on; a dash where nobody recorded it."""
    since_ns = verdict.fault.started_ns if verdict.fault and verdict.fault.started_ns else 0
    rows = run.samples.filter((pl.col("series") == Series.MACHINE_IDLE.value) & (pl.col("t_ns") >= since_ns))["value"]
    shares = rows.drop_nulls().to_list()
    return f"{fmean(shares):.0%}" if shares else "–"


def rows(paths: Iterable[Path]) -> list[str]:
    """Return the rows of all runs among ``paths`` that followed a training job, by experiment; what cannot be read is said."""
    found = []
    for path in paths:
        try:
            run = read_run(path)
        except HistoryError as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
            continue
        if run.plan.training is not None:
            found.append(row_of(run))
    return sorted(found)


def main() -> int:
    """Print the table, or write the page; exit 1 if there is no such run."""
    parser = argparse.ArgumentParser(prog="python -m bench.training.runs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of reports/out/runs)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the page there")
    options = parser.parse_args()
    found = rows(options.runs or sorted(path.parent for path in RUNS.glob("*/plan.json")))
    text = HEAD + "".join(f"{row}\n" for row in found)
    if options.write:
        options.write.write_text(text)
    print(text)
    return int(not found)


if __name__ == "__main__":
    sys.exit(main())
