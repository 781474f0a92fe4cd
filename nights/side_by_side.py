"""Two sides run with one seed, experiment by experiment: two targets, or two images of one platform. Pure functions of records.

The trials of a side are a sample, on the scale on which nights are compared (:mod:`nights.spread`); its spread is never taken for less than
what the recorded intervals allow. The two means are told apart by the t-test for unequal variances (Welch, Biometrika 34, 1947), whose
degrees of freedom are rounded down. Sides that are alike are called different in 2 % of such pages, whatever number of measures a page has
(Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean

from history.errors import NightsError
from nights.changes import Key, at_least, readings
from nights.comparable import Trials, by_experiment, differ, parts_changed
from nights.record import AVAILABILITY, RTO, Night, RunRecord
from nights.spread import FALSE_ALARMS, Place, Reading, Scale, reading_of, scale_of, spread_of, t_quantile

LEAST_TRIALS = 2
"""Of one trial nobody knows by how much the next one would differ."""
MEASURES = (RTO, AVAILABILITY)
COVERED = 0.95


class Told(StrEnum):
    """What the trials say of the second side."""

    WORSE = "worse"
    BETTER = "better"
    ALIKE = "not told apart"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one experiment on both sides. ``by``, ``low`` and ``high``: second side minus first, with its 95 % interval."""

    measure: str
    workload: str
    unit: str
    first: Reading
    second: Reading
    told: Told
    by: float
    low: float | None = None  # none: nothing bounds it
    high: float | None = None
    why: str = ""  # why it cannot be told


@dataclass(frozen=True, slots=True)
class Outcome:
    """The trials of an experiment on one side, by what they count as."""

    passed: int
    failed: int
    inconclusive: int
    sentence: str  # of the worst trial


@dataclass(frozen=True, slots=True)
class Pair:
    """One experiment on both sides."""

    experiment: str
    title: str
    first: Outcome
    second: Outcome
    not_comparable: str  # why its numbers cannot be held against each other; empty: they can
    parts: tuple[str, ...]  # of the platform, which are others on the second side
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Both sides: what both ran, what one alone did, and whether their faults were drawn by one seed."""

    first: str  # their names
    second: str
    pairs: tuple[Pair, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    one_seed: bool


def side_by_side(first: Night, second: Night, names: tuple[str, str]) -> SideBySide:
    """Hold two sets of runs against each other. Raises NightsError: a side holds runs of several targets, or a run stands on both."""
    _refuse_mixed(first, second, names)
    a, b = ({trials[0].experiment: trials for trials in by_experiment(night.runs)} for night in (first, second))
    both = [name for name in a if name in b]
    comparisons = max(1, sum(len(_measured(a[name], b[name])) for name in both))
    policies = {run.conditions.seed_policy for night in (first, second) for run in night.runs}
    return SideBySide(
        *names,
        tuple(_pair(a[name], b[name], comparisons) for name in both),
        tuple(name for name in a if name not in b),
        tuple(name for name in b if name not in a),
        len(policies) == 1 and next(iter(policies)) not in {"", "drawn"},
    )


def _refuse_mixed(first: Night, second: Night, names: tuple[str, str]) -> None:
    for night, name in zip((first, second), names, strict=True):
        targets = sorted({run.conditions.target for run in night.runs})
        if len(targets) > 1:
            raise NightsError(f"side {name}: its runs are of several targets, {', '.join(targets)}; name the runs of one")
    if shared := sorted({run.run_id for run in first.runs} & {run.run_id for run in second.runs}):
        raise NightsError(f"run {shared[0]} was named on both sides; each side needs runs of its own")


def _pair(first: Trials, second: Trials, comparisons: int) -> Pair:
    why = next((why for run in (*first, *second) if (why := differ(first[0].conditions, run.conditions, {"target"}))), "")
    return Pair(
        first[0].experiment,
        first[0].title,
        _outcome(first),
        _outcome(second),
        why,
        parts_changed(first[0].conditions, second[0].conditions),
        () if why else tuple(_difference(first, second, key, comparisons) for key in _measured(first, second)),
    )


def _outcome(trials: Trials) -> Outcome:
    held = [one for one in trials if one.counts_as == "PASS"]
    failed = [one for one in trials if one.counts_as == "FAIL"]
    unsure = [one for one in trials if one not in held and one not in failed]
    return Outcome(len(held), len(failed), len(unsure), (failed or unsure or held)[0].sentence)


def _measured(first: Trials, second: Trials) -> list[Key]:
    """Return the measures, each with its workload, that conclusive trials of both sides have."""
    a, b = ({(one.name, one.workload): None for run in _conclusive(side) for one in run.values} for side in (first, second))
    return [key for key in a if key in b and key[0] in MEASURES]


def _conclusive(trials: Trials) -> list[RunRecord]:
    return [run for run in trials if run.complete and run.counts_as != "INCONCLUSIVE"]


def _difference(first: Trials, second: Trials, key: Key, comparisons: int) -> Difference:
    raw = [readings(_conclusive(side), key) for side in (first, second)]
    unit = next(value.unit for run in _conclusive(first) if (value := run.value(*key)))
    scale = scale_of([reading_of([one]) for side in raw for one in side], duration=unit == "s")
    means = [reading_of(side, scale) for side in raw]
    made = Difference(*key, unit, means[0], means[1], Told.UNKNOWN, means[1].value - means[0].value)
    if why := _why_unknown(means, [len(side) for side in raw]):
        return replace(made, why=why)
    places = [[scale.place(reading_of([one])) for one in side] for side in raw]
    return _judged(made, places[0], places[1], scale, comparisons)


def _why_unknown(means: Sequence[Reading], trials: Sequence[int]) -> str:
    if min(trials) < LEAST_TRIALS:
        return f"{min(trials)} conclusive trial on a side; {LEAST_TRIALS} are needed: --chaos-trials=3"
    low, high = sorted(means, key=lambda one: one.value)
    return "the lesser value is a lower bound itself" if low.censored or (low.value == high.value and high.censored) else ""


def _judged(made: Difference, first: Sequence[Place], second: Sequence[Place], scale: Scale, comparisons: int) -> Difference:
    start, off = fmean(one.at for one in first), fmean(one.at for one in second) - fmean(one.at for one in first)
    error, freedom = _welch(first, second)
    half = t_quantile(freedom, (1 - COVERED) / 2) * error
    beyond = abs(off) > t_quantile(freedom, FALSE_ALARMS / 2 / comparisons) * error
    worse = (off < 0) if at_least(made.measure) else (off > 0)
    told = (Told.WORSE if worse else Told.BETTER) if beyond else Told.ALIKE
    low, high = (scale.back(start + end) - scale.back(start) for end in (off - half, off + half))
    return replace(made, told=told, low=None if made.first.censored else low, high=None if made.second.censored else high)


def _welch(first: Sequence[Place], second: Sequence[Place]) -> tuple[float, int]:
    """Return the standard error of the difference of two means and its degrees of freedom, by Welch and Satterthwaite."""
    shares = [spread_of(side) ** 2 / len(side) for side in (first, second)]
    freedom = sum(shares) ** 2 / sum(share**2 / (len(side) - 1) for share, side in zip(shares, (first, second), strict=True))
    return math.sqrt(sum(shares)), max(1, math.floor(freedom))
