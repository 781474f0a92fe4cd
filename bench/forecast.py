"""``python -m bench.forecast [RUN...]``: what was forecast before each stored run beside what was measured, and how far they lie apart.

A forecast is right if it lies within 20 % of what was measured, or closer than it can be read. "None" (retries cover the fault) is right
if users noticed nothing. Runs are judged again, so that all are measured alike; a figure that is only a lower bound is no error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.hindcast import hindcast
from history.errors import HistoryError
from history.reader import read_run
from history.result import Measurement, RunVerdict, Verdict
from verdict import judge

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "reports" / "out" / "runs"
WITHIN = 0.2
CAPACITY_READ_S = 0.5
"""Capacity is counted from watches and health samples: twice a second."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of one run (s)."""

    forecast_s: float
    measured_s: float | None
    censored: bool
    read_s: float  # how finely it can be read

    @property
    def error(self) -> float | None:
        """Measured / forecast - 1, if both are more than nothing."""
        return self.measured_s / self.forecast_s - 1 if self.comparable and self.forecast_s and self.measured_s is not None else None

    @property
    def comparable(self) -> bool:
        """Whether it was measured, not only bounded."""
        return self.measured_s is not None and not self.censored

    @property
    def right(self) -> bool:
        """Whether the forecast was right."""
        if not self.comparable or self.measured_s is None:
            return False
        return abs(self.measured_s - self.forecast_s) <= max(WITHIN * self.forecast_s, self.read_s)


@dataclass(frozen=True, slots=True)
class Row:
    """One run."""

    run_id: str
    experiment: str
    commit: str
    rto: Pair
    capacity: Pair
    forecast_phase: str
    measured_phase: str


def row_of(path: Path, *, again: bool = False) -> Row | None:
    """Return the row of a stored run; None if nothing was forecast, or it measured nothing. Raises HistoryError: it cannot be read.

    With ``again`` the forecast is today's, not the one that was made then.
    """
    run = read_run(path)
    forecast, verdict = hindcast(run.plan) if again else run.plan.forecast, judge(run)
    if forecast is None or verdict.verdict is Verdict.INCONCLUSIVE or forecast.capacity_rto_s is None:
        return None
    fine_s, longest = verdict_figure(verdict, "rto_resolution").value or 0.0, verdict_figure(verdict, "dominant_phase")
    return Row(
        run_id=run.plan.run_id,
        experiment=run.plan.experiment.id,
        commit=run.plan.versions.get("commit", ""),
        rto=_pair(forecast.rto_s, verdict_figure(verdict, "rto"), fine_s),
        capacity=_pair(forecast.capacity_rto_s, verdict_figure(verdict, "full_capacity"), CAPACITY_READ_S),
        forecast_phase=forecast.dominant,
        measured_phase=longest.sentence.split(";")[0].split(" (")[0] if longest.value is not None else "",
    )


def verdict_figure(verdict: RunVerdict, name: str) -> Measurement:
    """Return a measurement by its name. Raises KeyError: there is none."""
    found = verdict.measurement(name)
    if found is None:
        raise KeyError(name)
    return found


def _pair(forecast_s: float, measured: Measurement, read_s: float) -> Pair:
    return Pair(forecast_s, measured.value, measured.censored, read_s)


def table(rows: Iterable[Row]) -> list[str]:
    """Return the runs as a table in Markdown."""
    names = (
        "experiment",
        "run",
        "RTO forecast",
        "RTO",
        "error",
        "capacity forecast",
        "capacity",
        "error",
        "longest phase: forecast, measured",
    )
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        figures = " | ".join(f"{_forecast(pair)} | {_measured(pair)} | {_error(pair)}" for pair in (row.rto, row.capacity))
        lines.append(f"| {row.experiment} | {row.run_id} | {figures} | {row.forecast_phase}, {row.measured_phase or '–'} |")
    return lines


def summary(rows: list[Row]) -> list[str]:
    """Return how often forecasts were right, and how far off those were that can be compared."""
    lines = []
    for name, pairs in (("RTO", [row.rto for row in rows]), ("capacity RTO", [row.capacity for row in rows])):
        known = [pair for pair in pairs if pair.comparable]
        errors = [abs(pair.error) for pair in known if pair.error is not None]
        bounded = len(pairs) - len(known)
        middle = f"; median error {median(errors):.0%}, largest {max(errors):.0%}" if errors else ""
        open_ends = f" ({bounded} more were watched too briefly to know)" if bounded else ""
        lines.append(f"- {name}: {sum(pair.right for pair in known)} of {len(known)} forecasts right{open_ends}{middle}")
    return lines


def page(rows: list[Row], hindcasts: list[Row], command: str, note: str = "") -> str:
    """Return the tables as a page of docs/."""
    lines = ["# Forecasts", "", f"Made by `{command}` from stored runs of the embedded platform.", ""]
    lines += [
        "Before each run the suite says, from manifests and live timers alone, how long users will notice the fault and when all replicas "
        'will be back. A forecast is right within 20 %, or closer than the figure can be read; "none" (retries cover it) is right if users '
        "noticed nothing.",
    ]
    for title, found in (
        ("Today's model on runs that were recorded before it", hindcasts),
        ("Forecasts as they were made before each run", rows),
    ):
        lines += ["", f"## {title}", "", *summary(found), "", *table(found)] if found else []
    lines += ["", note] if note else []
    return "\n".join([*lines, ""])


def _forecast(pair: Pair) -> str:
    return f"{pair.forecast_s:.2f} s" if pair.forecast_s else "none"


def _measured(pair: Pair) -> str:
    if pair.measured_s is None:
        return "–"
    return f"> {pair.measured_s:.1f} s" if pair.censored else f"{pair.measured_s:.2f} s" if pair.measured_s else "none"


def _error(pair: Pair) -> str:
    if not pair.comparable:
        return "–"
    text = "" if pair.error is None else f"{pair.error:+.0%} "
    return text + ("right" if pair.right else "**wrong**")


def read_rows(paths: Iterable[Path], *, again: bool = False) -> list[Row]:
    """Return the rows of stored runs, ordered by experiment and run; what cannot be read is said and left out."""
    found = []
    for path in paths:
        try:
            found.append(row_of(path, again=again))
        except HistoryError as error:
            print(f"{path}: left out: {error}", file=sys.stderr)
    return sorted((row for row in found if row), key=lambda row: (row.experiment, row.run_id))


def main() -> int:
    """Print or write the table; exit 1 if there is nothing to show."""
    parser = argparse.ArgumentParser(prog="python -m bench.forecast", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of reports/out/runs)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the table there")
    parser.add_argument("--again", nargs="+", type=Path, default=[], metavar="RUN", help="forecast these again by today's model")
    parser.add_argument("--note", default="", metavar="TEXT", help="a sentence for the page, such as what else the machine did")
    options = parser.parse_args()
    rows = read_rows(options.runs or sorted(path.parent for path in RUNS.glob("*/plan.json")))
    hindcasts = read_rows(options.again, again=True)
    if options.write:
        options.write.write_text(
            page(rows, hindcasts, f"python -m bench.forecast RUN... --again RUN... --write {options.write}", options.note)
        )
    print("\n".join([*table(hindcasts), *summary(hindcasts)]) if hindcasts else "")
    print("\n".join([*table(rows), *summary(rows)]))
    return int(not rows and not hindcasts)


if __name__ == "__main__":
    sys.exit(main())
