"""Which experiments a night of limited time runs: those first of which least is known any more. Pure functions of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from statistics import fmean, median

from nights.comparable import Trials, by_experiment
from nights.record import Night

OVERHEAD_S = 10.0
"""Preflight and verdict of one run, which its record does not count (s)."""
UNKNOWN_S = 180.0
"""What a run is taken for where no night has run anything yet (s)."""
LAST = 5
"""Of so many last nights is the mean."""


class Why(IntEnum):
    """Why an experiment comes where it comes; the first comes first."""

    NEW = 0
    CHANGED = 1
    FAILED = 2
    UNSURE = 3
    OLDEST = 4

    def __str__(self) -> str:
        """Return it in words."""
        return _WORDS[self]


_WORDS = {
    Why.NEW: "no night has run it",
    Why.CHANGED: "it is another than when it ran last",
    Why.FAILED: "it failed last",
    Why.UNSURE: "it was inconclusive last",
    Why.OLDEST: "held last",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long one run takes (s), and of how many nights that is the mean; 0: of none, it is a guess.

    ``gpu_s``: GPU-seconds, the time by the GPUs that the pods ask for which serve its workloads; None: no night says.
    """

    run_s: float
    nights: int
    gpu_s: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One experiment's place in the order."""

    experiment: str
    why: Why
    last_ns: int  # when it last passed; 0: never
    estimate: Estimate


def ordered(digests: dict[str, str], nights: Sequence[Night], target: str) -> list[Place]:
    """Return the experiments of ``digests`` (name -> digest as it would run now) in the order in which a short night runs them.

    New and changed ones first, then those that failed last, were inconclusive last, and then those whose pass is the oldest.
    """
    past = _past(nights, target)
    guess = _guess(past)
    places = [_place(name, digest, past.get(name, []), guess) for name, digest in digests.items()]
    return sorted(places, key=lambda one: (one.why, one.last_ns))


def _past(nights: Sequence[Night], target: str) -> dict[str, list[Trials]]:
    past: dict[str, list[Trials]] = {}
    for trials in (trials for night in nights for trials in by_experiment(night.runs)):
        if trials[0].conditions.target == target:
            past.setdefault(trials[0].experiment, []).append(trials)
    return past


def _place(name: str, digest: str, past: Sequence[Trials], guess: Estimate) -> Place:
    passed = [trials[0].started_ns for trials in past if all(run.counts_as == "PASS" for run in trials)]
    return Place(name, _why(digest, past), max(passed, default=0), _estimate(past) or guess)


def _why(digest: str, past: Sequence[Trials]) -> Why:
    if not past:
        return Why.NEW
    if past[-1][0].conditions.digest != digest:
        return Why.CHANGED
    ended = {run.counts_as for run in past[-1]}
    return Why.FAILED if "FAIL" in ended else Why.UNSURE if "INCONCLUSIVE" in ended else Why.OLDEST


def _estimate(past: Sequence[Trials]) -> Estimate | None:
    whole = [complete for trials in past if (complete := [run.duration_s for run in trials if run.complete])][-LAST:]
    if not whole:
        return None
    run_s = fmean(fmean(one) for one in whole) + OVERHEAD_S
    gpus = next((run.gpus for trials in reversed(past) for run in trials if run.gpus is not None), None)
    return Estimate(run_s, len(whole), None if gpus is None else run_s * gpus)


def _guess(past: dict[str, list[Trials]]) -> Estimate:
    """Return what an experiment is taken for of which nothing is known: as long as the median of the others."""
    known = [one.run_s for trials in past.values() if (one := _estimate(trials))]
    return Estimate(median(known) if known else UNKNOWN_S, 0)


def fitting(places: Sequence[Place], trials: int, limit_s: float) -> tuple[list[Place], list[Place]]:
    """Return the places that fit into ``limit_s`` in their order, and those that do not; a shorter one later may still fit."""
    chosen, left, used_s = list[Place](), list[Place](), 0.0
    for place in places:
        wanted_s = place.estimate.run_s * trials
        if used_s + wanted_s <= limit_s:
            chosen.append(place)
            used_s += wanted_s
        else:
            left.append(place)
    return chosen, left
