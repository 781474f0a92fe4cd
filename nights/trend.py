"""The trend: one series an experiment over the nights, of what was measured and of how the nights came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from nights.comparable import Trials, by_experiment
from nights.record import AVAILABILITY, RTO, Night, RunRecord, Value

MOST_POINTS = 90


@dataclass(frozen=True, slots=True)
class Point:
    """One night of one experiment. ``None``: not measured."""

    night: str
    started_ns: int
    counts_as: str  # of the worst trial
    trials: int
    inconclusive: int
    rto_s: float | None  # the longest of its trials
    rto_low_s: float | None
    rto_high_s: float | None
    censored: bool  # rto_s is a lower bound
    budget_s: float | None  # of its RTO
    availability: float | None  # the lowest
    duration_s: float  # mean of its trials


@dataclass(frozen=True, slots=True)
class Trend:
    """One experiment on one target, oldest night first."""

    experiment: str
    title: str
    target: str
    points: tuple[Point, ...]

    @property
    def inconclusive_rate(self) -> float:
        """Return the share of all trials that were INCONCLUSIVE."""
        return sum(one.inconclusive for one in self.points) / sum(one.trials for one in self.points)


def trends(nights: Sequence[Night], most: int = MOST_POINTS) -> list[Trend]:
    """Return the series of all experiments in ``nights`` (oldest first), each of its last ``most`` nights, by target and name."""
    series: dict[tuple[str, str], list[Trials]] = {}
    for night in nights:
        for trials in by_experiment(night.runs):
            series.setdefault((trials[0].conditions.target, trials[0].experiment), []).append(trials)
    return [
        Trend(name, found[-1][0].title, target, tuple(_point(trials) for trials in found[-most:]))
        for (target, name), found in sorted(series.items())
    ]


def _point(trials: Trials) -> Point:
    worst = max(trials, key=lambda run: {"PASS": 0, "INCONCLUSIVE": 1, "FAIL": 2}.get(run.counts_as, 1))
    slowest = max((value for run in trials if (value := run.value(RTO))), key=lambda one: (one.censored, one.value), default=None)
    return Point(
        night=worst.night,
        started_ns=min(run.started_ns for run in trials),
        counts_as=worst.counts_as,
        trials=len(trials),
        inconclusive=sum(run.counts_as == "INCONCLUSIVE" for run in trials),
        rto_s=slowest.value if slowest else None,
        rto_low_s=slowest.low if slowest else None,
        rto_high_s=slowest.high if slowest else None,
        censored=slowest.censored if slowest else False,
        budget_s=slowest.budget if slowest else None,
        availability=min((value.value for value in _availability(trials)), default=None),
        duration_s=round(fmean(run.duration_s for run in trials), 1),
    )


def _availability(trials: Sequence[RunRecord]) -> list[Value]:
    return [value for run in trials if (value := run.value(AVAILABILITY))]
