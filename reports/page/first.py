"""What the first screen shows beside the report's own sentences: bars on one scale, SLO, budgets and who set them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from history.budgets import BUDGETS
from history.result import Verdict
from history.workloads import Slo
from reports import names
from reports.model import Experiment, Report, Trial
from reports.night.harm import Harm, harm_of, worst_trial
from reports.text import clock, quantity
from verdict.words import NONE, number, percent, seconds

MOST_LINES = 12
"""Failures that have a line of their own on the first screen."""
LEAST = 0.1
"""Where the scale of bars begins, as a multiple of the limit."""
DECADE = 10.0


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale that all bars of a table share: multiples of the limit, logarithmic, from :data:`LEAST` to ``top``."""

    top: float

    def share(self, times: float) -> float:
        """Return where ``times`` the limit lies, as a share of the bar's width."""
        if times <= LEAST:
            return 0.0
        return min(1.0, math.log10(times / LEAST) / math.log10(self.top / LEAST))

    @property
    def ticks(self) -> tuple[float, ...]:
        """Return the multiples that are marked: powers of ten."""
        return tuple(LEAST * DECADE**k for k in range(round(math.log10(self.top / LEAST)) + 1))

    @property
    def text(self) -> str:
        """Return how to read it."""
        return f"Every bar has the same scale: {number(LEAST)} to {number(self.top)} times the limit, ten times as much from line to line."


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: from the left to the worst trial, a dot a trial; ``open_end``: the worst is a lower bound."""

    worst: float
    dots: tuple[float, ...]
    limit: float
    ticks: tuple[float, ...]
    over: bool
    open_end: bool
    times: str


def scale_of(experiments: Sequence[Experiment]) -> Scale:
    """Return the scale that holds every RTO of ``experiments`` as a multiple of its limit."""
    most = max((times for one in experiments for times in _times(one)), default=1.0)
    return Scale(max(DECADE, DECADE ** math.ceil(math.log10(max(most, 1.0)))))


def bar_of(experiment: Experiment, scale: Scale) -> Bar | None:
    """Return the bar of an experiment; None: nobody set a limit, or there was no outage to measure."""
    found = _times(experiment)
    if not found or not max(found):
        return None
    worst = max(found)
    return Bar(
        worst=scale.share(worst),
        dots=tuple(scale.share(times) for times in found),
        limit=scale.share(1.0),
        ticks=tuple(scale.share(times) for times in scale.ticks),
        over=worst > 1,
        open_end=any(trial.rto_censored for trial in experiment.trials),
        times=f"{number(worst, 2)} × the limit",
    )


def _times(experiment: Experiment) -> list[float]:
    """Return the RTO of each trial as a multiple of its limit."""
    limits = [(trial.rto_s, trial.budgets.rto_s) for trial in experiment.trials]
    return [rto_s / limit_s for rto_s, limit_s in limits if rto_s is not None and limit_s]


def harm(experiment: Experiment) -> Harm:
    """Return what the trial that counts did to users."""
    return harm_of(worst_trial(experiment))


def named(experiment: Experiment, trial: Trial) -> str:
    """Return what a trial is called; two of different sessions may have one number, so then the start is part of the name."""
    numbers = [one.trial for one in experiment.trials]
    return f"Trial {trial.trial}" if numbers.count(trial.trial) == 1 else f"Trial {trial.trial} of {clock(trial.started)}"


def slo_text(slo: Slo) -> str:
    """Return an SLO in words: 99 % of answers within 500 ms, the first token within 300 ms."""
    parts = [f"{percent(slo.ratio)} of answers whole and within {seconds(slo.latency_ms / 1e3)}"]
    parts += [f"the first token of a stream within {seconds(slo.ttft_ms / 1e3)}"] if slo.ttft_ms else []
    parts += [f"no silence in a stream longer than {seconds(slo.max_gap_ms / 1e3)}"] if slo.max_gap_ms else []
    return ", ".join(parts)


def slos(report: Report) -> list[tuple[str, str]]:
    """Return (class of workload, its SLO) of everything that was run, each once."""
    found = [(one.workload, slo_text(trial.slo)) for one in report.experiments for trial in one.trials if trial.slo]
    return list(dict.fromkeys(found))


def budgets(trial: Trial) -> list[tuple[str, str, str]]:
    """Return (budget, its limit, who set it and why) of one run."""
    rows = []
    for name, value in trial.budgets.values().items():
        bound = "at least " if BUDGETS[name].at_least else "at most "
        window = trial.budgets.availability_over_s if name == names.AVAILABILITY else None
        over = f" over {seconds(window)}" if window else ""
        who, why = trial.budgets.source.get(name, NONE), trial.budgets.because.get(BUDGETS[name].written)
        rows.append((names.label(name), f"{bound}{quantity(value, BUDGETS[name].unit)}{over}", f"{who}: {why}" if why else who))
    return rows


def limits(experiments: Sequence[Experiment]) -> list[tuple[list[str], list[tuple[str, str, str]]]]:
    """Return (titles of experiments, their budgets): those with the same budgets, set by the same, in one row."""
    rows: list[tuple[list[str], list[tuple[str, str, str]]]] = []
    for one in experiments:
        found = budgets(worst_trial(one))
        row = next((titles for titles, same in rows if same == found), None)
        if row is None:
            rows.append(([one.title], found))
        else:
            row.append(one.title)
    return rows


def counts(report: Report) -> str:
    """Return how many held and how many did not, and how close it was for those that did."""
    held = [one for one in report.experiments if one.counts_as is Verdict.PASS and one.expect.verdict == "PASS" and one.margin is not None]
    closest = min(held, key=lambda one: one.margin or 0.0, default=None)
    said = report.summary.partition("; tightest margin")[0]
    return said if closest is None else f"{said}. Closest: {closest.title}, {percent(closest.margin)} of a budget left"


def unbroken(shown: str) -> str:
    """Return text in which no figure is parted from its unit at the end of a line."""
    return re.sub(r"(?<=\d) (?=[%×sµm])", "\u00a0", shown)
