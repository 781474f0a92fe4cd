"""``python -m bench.accuracy.forecast [RUN...]``: each stored run's forecast beside what was measured.

A forecast is right if what was measured lies within 20 % of it; "none" (retries cover the fault) if users noticed nothing. What lies
further off but closer than it can be read is counted apart, and so is what lies within the range that was forecast where chance decides.
Runs are judged again, so that all are measured alike; a figure that is only a lower bound is no error.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from statistics import median

from bench.accuracy.hindcast import hindcast
from history.errors import HistoryError
from history.reader import read_run
from history.result import Measurement, RunVerdict, Verdict
from verdict import judge

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "reports" / "out" / "runs"
WITHIN = 0.2
CAPACITY_READ_S = 0.5
"""Capacity is counted from watches and health samples: twice a second."""


class Hit(StrEnum):
    """How near a forecast came."""

    RIGHT = "right"
    UNREADABLE = "within the resolution"
    LIKELY = "within its range"
    WRONG = "**wrong**"


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of one run (s)."""

    forecast_s: float
    measured_s: float | None
    censored: bool
    read_s: float  # how finely it can be read
    range_s: tuple[float, float] | None = None  # where 9 of 10 lie, if it depends on chance

    @property
    def error(self) -> float | None:
        """Measured / forecast - 1, if both are more than nothing."""
        return self.measured_s / self.forecast_s - 1 if self.comparable and self.forecast_s and self.measured_s is not None else None

    @property
    def comparable(self) -> bool:
        """Whether it was measured, not only bounded."""
        return self.measured_s is not None and not self.censored

    @property
    def hit(self) -> Hit:
        """How near the forecast came; a lower bound proves nothing."""
        if not self.comparable or self.measured_s is None:
            return Hit.WRONG
        off_s = abs(self.measured_s - self.forecast_s)
        if off_s <= WITHIN * self.forecast_s:
            return Hit.RIGHT
        if off_s <= self.read_s:
            return Hit.UNREADABLE
        low_s, high_s = self.range_s or (self.forecast_s, self.forecast_s)
        return Hit.LIKELY if low_s - self.read_s <= self.measured_s <= high_s + self.read_s else Hit.WRONG


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
        rto=_pair(forecast.rto_s, verdict_figure(verdict, "rto"), fine_s, forecast.rto_range_s),
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


def _pair(forecast_s: float, measured: Measurement, read_s: float, range_s: tuple[float, float] | None = None) -> Pair:
    return Pair(forecast_s, measured.value, measured.censored, read_s, range_s)


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
        hits = Counter(pair.hit for pair in known)
        text = f"- {name}: {hits[Hit.RIGHT]} of {len(known)} within {WITHIN:.0%}"
        text += "".join(f", {hits[kind]} more {kind}" for kind in (Hit.UNREADABLE, Hit.LIKELY) if hits[kind])
        text += f", {hits[Hit.WRONG]} wrong" + (f"; median error {median(errors):.0%}, largest {max(errors):.0%}" if errors else "")
        bounded = len(pairs) - len(known)
        lines.append(text + (f" ({bounded} more {'was' if bounded == 1 else 'were'} watched too briefly to know)" if bounded else ""))
    return [*lines, _hindsight(rows)]


def _hindsight(rows: list[Row]) -> str:
    """Say how often a forecast could have been right that knew all of these runs: so much is the platform's own chance."""
    runs: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        runs[row.experiment].append(row)
    rto, capacity = (
        sum(best(_known(map(figure, found))) for found in runs.values()) for figure in (attrgetter("rto"), attrgetter("capacity"))
    )
    known = sum(row.rto.comparable for row in rows), sum(row.capacity.comparable for row in rows)
    return (
        f"- chance: one figure an experiment, chosen after all these runs, would have been within {WITHIN:.0%} of {rto} of {known[0]} "
        f"(RTO) and {capacity} of {known[1]} (capacity RTO); {len(runs)} experiments, so as many are right by being chosen"
    )


def _known(pairs: Iterable[Pair]) -> list[float]:
    return [pair.measured_s for pair in pairs if pair.comparable and pair.measured_s is not None]


def best(measured_s: Sequence[float]) -> int:
    """Return of how many figures (s) one forecast can be within the tolerance: the best one has some figure at its upper end."""
    forecasts = [figure / (1 + WITHIN) for figure in measured_s]
    return max((sum(abs(figure - one) <= WITHIN * one + 1e-9 for figure in measured_s) for one in forecasts), default=0)


def page(rows: list[Row], hindcasts: list[Row], command: str, note: str = "") -> str:
    """Return the tables as a page of docs/."""
    lines = ["# Forecasts", "", f"Made by `{command}` from stored runs of the embedded platform.", ""]
    lines += [
        "Before each run the suite says, from manifests and live timers alone, how long users will notice the fault and when all replicas "
        'will be back. A forecast is right within 20 %; "none" (retries cover it) is right if users noticed nothing. Counted apart is what '
        "lies further off, but closer than the figure can be read, and what lies within the range that was forecast. A range is said "
        "where chance decides: a replica that falls silent behind gateways that choose the least busy one meets few requests, and whether "
        "those make an outage depends on how busy each gateway was when it happened. In brackets: where 9 of 10 such faults lie.",
    ]
    for title, found in (
        ("Today's model on runs that were recorded before it", hindcasts),
        ("Forecasts as they were made before each run", rows),
    ):
        lines += ["", f"## {title}", "", *summary(found), "", *table(found)] if found else []
    lines += ["", note] if note else []
    return "\n".join([*lines, ""])


def _forecast(pair: Pair) -> str:
    text = f"{pair.forecast_s:.2f} s" if pair.forecast_s else "none"
    return text if pair.range_s is None else f"{text} ({pair.range_s[0]:.2f}–{pair.range_s[1]:.2f})"


def _measured(pair: Pair) -> str:
    if pair.measured_s is None:
        return "–"
    return f"> {pair.measured_s:.1f} s" if pair.censored else f"{pair.measured_s:.2f} s" if pair.measured_s else "none"


def _error(pair: Pair) -> str:
    if not pair.comparable:
        return "–"
    text = "" if pair.error is None else f"{pair.error:+.0%} "
    return text + pair.hit


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
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy.forecast", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="run folders (default: all of reports/out/runs)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the table there")
    parser.add_argument("--again", nargs="+", type=Path, default=[], metavar="RUN", help="forecast these again by today's model")
    parser.add_argument("--note", default="", metavar="TEXT", help="a sentence for the page, such as what else the machine did")
    options = parser.parse_args()
    rows = read_rows(options.runs or sorted(path.parent for path in RUNS.glob("*/plan.json")))
    hindcasts = read_rows(options.again, again=True)
    if options.write:
        options.write.write_text(
            page(rows, hindcasts, f"python -m bench.accuracy.forecast RUN... --again RUN... --write {options.write}", options.note)
        )
    print("\n".join([*table(hindcasts), *summary(hindcasts)]) if hindcasts else "")
    print("\n".join([*table(rows), *summary(rows)]))
    return int(not rows and not hindcasts)


if __name__ == "__main__":
    sys.exit(main())
