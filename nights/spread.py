"""What is told from noise: tonight against the spread of comparable nights. Pure functions of numbers.

Each night gives one number, the mean of its trials on a scale on which the spread is even: for durations the started logarithm ln(x + r),
r being how finely they are read (Tukey, Exploratory Data Analysis, 1977), for all else x itself. Tonight is worse if it lies beyond the
prediction limit for one more observation of a normal sample (Hahn and Meeker, Statistical Intervals, 1991): mean + t · s · √(1 + 1/n). The
mean of the last k nights is held likewise against the nights before them, with √(1/k + 1/n): that finds what is too small for one night.
The spread s is never taken for less than what the recorded 95 % intervals allow by themselves.

Two limits, as on a control chart (Shewhart 1931): beyond the first an experiment is *worth a look* (2 % of its quiet nights are), beyond
the second it is a *regression* (2 % of quiet nights have any; the error is divided by the number of comparisons, Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from statistics import NormalDist, fmean, median, stdev

import numpy as np

FALSE_ALARMS = 0.02
"""How often a quiet night may be called worse: an experiment's nights at the first limit, whole nights at the second."""
TONIGHT, SEVERAL = FALSE_ALARMS / 2, FALSE_ALARMS / 4
"""What the test of tonight may err by, and that of several nights, which errs more: how many these are follows from the spread."""
LEAST_NIGHTS = 5
"""So many comparable nights a spread takes at least; the fewer they are the wider the limits, by Student's t."""
MOST_NIGHTS = 30
"""Older ones are left out of a spread: platforms age."""
FOUND = 0.95
SHIFT = 0.2
"""What the page says is found within how many nights: +20 %."""
_Z95 = NormalDist().inv_cdf(0.975)


class Standing(StrEnum):
    """How tonight stands to comparable nights; of a value whose larger side is the worse one."""

    REGRESSED = "regressed"  # beyond the second limit: no quiet night would be, but for 2 % of them
    LOOK = "worth a look"  # beyond the first
    BETTER = "better"  # as far on the other side as REGRESSED
    STEADY = "steady"  # within
    UNKNOWN = "unknown"  # too few comparable nights


@dataclass(frozen=True, slots=True)
class Reading:
    """One night's number: the mean of its trials, and what its recorded intervals say it may be wrong by (standard uncertainty)."""

    value: float
    uncertainty: float = 0.0
    censored: bool = False  # the truth is larger


@dataclass(frozen=True, slots=True)
class Place:
    """A reading on its scale."""

    at: float
    width: float  # standard uncertainty
    censored: bool


@dataclass(frozen=True, slots=True)
class Base:
    """Comparable nights as a sample: how many, their mean, their standard deviation (at least what recorded intervals allow)."""

    nights: int
    mean: float
    spread: float


def base_of(places: Sequence[Place]) -> Base:
    """Return the sample of the last 30 of ``places`` (at least two)."""
    kept = places[-MOST_NIGHTS:]
    at = [one.at for one in kept]
    return Base(len(kept), fmean(at), spread_of(kept))


def spread_of(places: Sequence[Place]) -> float:
    """Return the standard deviation of ``places`` (at least two), never less than what their recorded intervals allow."""
    return max(stdev(one.at for one in places), median(one.width for one in places), 1e-9)


@dataclass(frozen=True, slots=True)
class Scale:
    """On which scale nights are compared; ``start`` is added before the logarithm, ``None``: values as they are."""

    start: float | None

    def of(self, value: float) -> float:
        """Return ``value`` on it."""
        return value if self.start is None else math.log(max(value, 0.0) + self.start)

    def back(self, place: float) -> float:
        """Return the value at a place of the scale, not below 0 on the logarithmic one."""
        return place if self.start is None else max(0.0, math.exp(place) - self.start)

    def place(self, reading: Reading) -> Place:
        """Return a reading on it; its uncertainty to first order."""
        width = reading.uncertainty if self.start is None else reading.uncertainty / (max(reading.value, 0.0) + self.start)
        return Place(self.of(reading.value), width, reading.censored)


def scale_of(readings: Sequence[Reading], *, duration: bool) -> Scale:
    """Return the scale for ``readings``: of durations (s) its start is how finely they are read, at least 10 ms."""
    return Scale(max(0.01, median(one.uncertainty for one in readings) * _Z95) if duration and readings else None)


def reading_of(trials: Sequence[tuple[float, float | None, float | None, bool]], scale: Scale | None = None) -> Reading:
    """Return one night's number of its trials: (value, low, high, censored) each; low and high are the ends of a 95 % interval."""
    kept = scale or Scale(None)
    value = kept.back(fmean(kept.of(one) for one, *_ in trials))
    halves = [(high - low) / 2 / _Z95 for _, low, high, _ in trials if low is not None and high is not None and math.isfinite(high)]
    return Reading(value, fmean(halves) / math.sqrt(len(trials)) if halves else 0.0, any(censored for *_, censored in trials))


@dataclass(frozen=True, slots=True)
class Judged:
    """What comparable nights say of tonight. Values are in the unit of what is compared; ``None`` where nobody can say."""

    standing: Standing
    nights: int  # comparable ones
    usual: float | None = None  # the mean of comparable nights; where several last ones stand out, of those before them
    low: float | None = None  # between these lie all quiet nights but 2 % of them
    high: float | None = None
    change: float | None = None  # tonight, or the mean of those last ones, beside the usual, as a share; None: the usual is next to nothing
    over: int = 1  # of how many last nights the mean is that stands out; 1: tonight alone
    nights_needed: int | None = None  # within how many nights +20 % is found; None: not within 30


def judge(
    tonight: Reading, before: Sequence[Reading], *, comparisons: int = 1, duration: bool = True, worse_is_larger: bool = True
) -> Judged:
    """Hold ``tonight`` against the comparable nights ``before`` it (oldest first).

    ``comparisons``: how many such questions this night asks; the second limit is shared among them.
    """
    if len(before) < LEAST_NIGHTS:
        return Judged(Standing.UNKNOWN, len(before))
    scale, sign = scale_of(before, duration=duration), 1.0 if worse_is_larger else -1.0
    places = [scale.place(one) for one in (*before, tonight)]
    recent = base_of(places[:-1])
    standing, over = _stands(sign, places[-1:], recent, TONIGHT, comparisons), 1
    several = _several(places, scale, comparisons)
    if several is not None:
        by_several = _stands(sign, places[-several[0] :], several[1], SEVERAL, comparisons)
        standing, over = (by_several, several[0]) if _RANK[by_several] > _RANK[standing] else (standing, over)
    usual, change = _change(tonight, recent, scale)
    if several is not None and over > 1:
        usual, change = _change(Reading(scale.back(fmean(one.at for one in places[-over:])), 0.0, False), several[1], scale)
    reach = limit(recent.nights, TONIGHT) * recent.spread * math.sqrt(1 + 1 / recent.nights)
    needed = next((last for last in range(1, MOST_NIGHTS + 1) if enough(last, recent, scale, comparisons)), None)
    return Judged(
        standing, len(before), usual, scale.back(recent.mean - reach), scale.back(recent.mean + reach),
        change, over, needed,
    )  # fmt: skip


def _change(now: Reading, base: Base, scale: Scale) -> tuple[float, float | None]:
    """Return what is usual by ``base``, and ``now`` beside it as a share; None: the usual is next to nothing, so no share says it."""
    usual = scale.back(base.mean)
    return usual, (now.value - usual) / abs(usual) if abs(usual) > (scale.start or 0.0) else None


_RANK = {Standing.STEADY: 0, Standing.BETTER: 1, Standing.LOOK: 2, Standing.REGRESSED: 3}


def _several(places: Sequence[Place], scale: Scale, comparisons: int) -> tuple[int, Base] | None:
    """Return how many last nights show +20 % by the spread of those before them, at least two, and those before.

    Those before are at least ten and no fewer than the last ones: of many short stretches one is calm by chance.
    """
    for last in range(2, min(MOST_NIGHTS, len(places) // 2, len(places) - 2 * LEAST_NIGHTS) + 1):
        base = base_of(places[:-last])
        if enough(last, base, scale, comparisons):
            return last, base
    return None


def _stands(sign: float, last: Sequence[Place], base: Base, error: float, comparisons: int) -> Standing:
    """Hold the mean of the ``last`` nights against the ``base``; ``error``: how often a quiet one may be called worth a look."""
    own = max(base.spread, fmean(one.width for one in last))
    off = sign * (fmean(one.at for one in last) - base.mean) / math.sqrt(own**2 / len(last) + base.spread**2 / base.nights)
    own_limit, night_limit = limit(base.nights, error), limit(base.nights, error / comparisons)
    if off > own_limit:
        return Standing.REGRESSED if off > night_limit else Standing.LOOK
    censored = any(one.censored for one in last)  # a lower bound is never better than anything
    return Standing.BETTER if -off > night_limit and not censored else Standing.STEADY


def enough(last: int, base: Base, scale: Scale, comparisons: int = 1) -> bool:
    """Tell whether the mean of ``last`` nights shows +20 % as a regression, with 95 %, by the spread of the ``base``."""
    usual = scale.back(base.mean)
    shift = abs(scale.of(usual * (1 + SHIFT)) - base.mean)
    beyond = limit(base.nights, SEVERAL / comparisons) + limit(base.nights, 1 - FOUND)
    return beyond * math.sqrt(1 / last + 1 / base.nights) * base.spread <= shift


def limit(nights: int, error: float) -> float:
    """Return the quantile of Student's t that a sample of ``nights`` exceeds with probability ``error`` (one-sided)."""
    return t_quantile(nights - 1, error)


@lru_cache(maxsize=4096)
def t_quantile(freedom: int, error: float) -> float:
    """Return t with P(T > t) = ``error`` (0 < error ≤ 0.5) at ``freedom`` degrees of freedom, by bisection to 10⁻⁹."""
    low, high = 0.0, 1.0
    while t_above(freedom, high) > error:
        high *= 2
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_above(freedom, middle) > error else (low, middle)
    return high


def t_above(freedom: int, t: float) -> float:
    """Return P(T > t) for t ≥ 0: ∫ cosᵛ⁻¹θ dθ from arctan(t/√v) to π/2, over that from -π/2 (T = √v · tan θ), by Gauss and Legendre."""
    start = math.atan(t / math.sqrt(freedom))
    nodes, weights = np.polynomial.legendre.leggauss(64)
    angles = start + (math.pi / 2 - start) * (nodes + 1) / 2
    area = float(np.sum(weights * np.cos(angles) ** (freedom - 1))) * (math.pi / 2 - start) / 2
    return area * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
