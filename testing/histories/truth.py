"""Synthetic runs whose right answer follows from how they were made, never from the code that is tested.

A :class:`World` says when requests arrive and what hits them. :func:`build` makes a whole run of it, as a real one would be recorded, and
its :class:`Truth`. The construction decides for every request whether it is bad. In a hang, those that arrive within one SLO of its end are
answered in time; the truth leaves them out as the definition does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from history.plan import Plan
from history.reader import Run
from testing.histories import truth_frames as frames
from testing.histories.truth_plan import plan_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FAULT_NS = 1_790_000_000_000_000_000
MEDIAN_S, SIGMA = 0.04, 0.45
SHORTEST_S = 0.02


@dataclass(frozen=True, slots=True)
class Hit:
    """What happens to a ``share`` of the requests that arrive in [start_s, start_s + length_s) after the fault.

    ``fail``: refused at once; ``slow``: answered right, but later than the SLO; ``hang``: held until the hit is over, then answered.
    """

    start_s: float
    length_s: float
    share: float = 1.0
    kind: Literal["fail", "slow", "hang"] = "fail"

    @property
    def end_s(self) -> float:
        """When it is over (s after the fault)."""
        return self.start_s + self.length_s


@dataclass(frozen=True, slots=True)
class World:
    """Everything that decides a synthetic run. Times in seconds; the fault acts at 0, the load begins ``baseline_s`` earlier."""

    hits: tuple[Hit, ...] = ()
    rate_rps: float = 100.0
    arrivals: Literal["poisson", "constant"] = "poisson"
    fault: Literal["fault", "none", "sham"] = "fault"
    seed: int = 1
    ratio: float = 0.99
    slo_s: float = 0.25
    timeout_s: float = 1.0
    baseline_s: float = 16.0
    hold_s: float = 10.0
    tail_s: float = 3.0  # watched beyond the hold
    spikes: float = 1e-5  # share of requests that are late by themselves
    pauses_per_min: float = 0.0  # the server stands still for up to 100 ms so often, as garbage collectors make it
    streams: float = 0.0  # share of streamed requests
    workers: int = 1
    clock_offset_s: float = 0.0  # the load's clock against the runner's
    replaced: bool = True  # a replica is lost and replaced
    second_fault_s: float | None = None
    watched_s: float | None = None  # healing begins then; default: hold and tail after the last hit
    rto_budget_s: float = 60.0
    horizon_s: float | None = None  # of a control run: how long it is watched

    @property
    def heal_s(self) -> float:
        """When healing begins (s after the fault)."""
        if self.watched_s is not None:
            return self.watched_s
        last_s = max((hit.end_s for hit in self.hits), default=0.0)
        return max(self.horizon_s or 0.0, last_s + self.hold_s + self.tail_s)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Every request of a run, in the order of arrival; arrays of shape (n,).

    ``at_s`` counts from the fault, ``latency_s`` from the arrival; ``hit`` is the index of the hit that made it bad (-1: none did).
    """

    at_s: Floats
    latency_s: Floats
    outcome: npt.NDArray[np.str_]  # ok, fail, unknown
    stream: Bools
    hit: Ints
    spike: Bools

    @property
    def bad(self) -> Bools:
        """What is bad by construction (where no pause made a request late)."""
        return (self.hit >= 0) | self.spike


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer. ``rto_s`` is ``None`` if users were not served again before healing; ``clear``: no hit is almost chance."""

    rto_s: float | None
    end_s: float  # when the last hit was over, physically
    outages: int
    bad: int
    clear: bool
    floor: bool  # every hit is so small that the definition calls it residue


@dataclass(frozen=True, slots=True)
class Built:
    """A run and its truth."""

    world: World
    plan: Plan
    run: Run
    traffic: Traffic
    truth: Truth


def build(world: World) -> Built:
    """Make the run of ``world``."""
    traffic = traffic_of(world)
    plan = plan_of(world)
    return Built(world, plan, frames.run_of(world, plan, traffic), traffic, truth_of(world, traffic))


def traffic_of(world: World) -> Traffic:
    """Draw the arrivals of ``world`` and what became of each."""
    rng = np.random.default_rng(world.seed)
    at_s = _arrivals(world, rng) - world.baseline_s
    count = len(at_s)
    latency_s = np.minimum(rng.lognormal(np.log(MEDIAN_S), SIGMA, count), 0.9 * world.slo_s)
    latency_s += _paused(world, at_s, rng)
    spike = (rng.random(count) < world.spikes) & ~_shadow(world, at_s)
    latency_s[spike] = world.slo_s * rng.uniform(1.05, 3.0, int(spike.sum()))
    outcome, by = np.full(count, "ok", dtype="<U7"), np.full(count, -1)
    for index, hit in enumerate(world.hits):
        chosen = (at_s >= hit.start_s) & (at_s < hit.end_s) & (rng.random(count) < hit.share)
        waited_s = _waited(world, hit, at_s[chosen], latency_s[chosen], rng)
        bad = (waited_s > world.slo_s) if hit.kind != "fail" else np.full(int(chosen.sum()), True)
        outcome[chosen] = "fail" if hit.kind == "fail" else np.where(waited_s >= world.timeout_s, "unknown", "ok")
        latency_s[chosen], by[chosen], spike[chosen] = np.minimum(waited_s, world.timeout_s), np.where(bad, index, -1), False
    return Traffic(at_s, latency_s, outcome, rng.random(count) < world.streams, by, spike)


def _arrivals(world: World, rng: np.random.Generator) -> Floats:
    horizon_s = world.baseline_s + world.heal_s + 2.0
    if world.arrivals == "constant":
        return np.arange(int(horizon_s * world.rate_rps)) / world.rate_rps
    drawn = np.cumsum(rng.exponential(1 / world.rate_rps, int(horizon_s * world.rate_rps * 1.2) + 200))
    return drawn[drawn < horizon_s]


def _paused(world: World, at_s: Floats, rng: np.random.Generator) -> Floats:
    """Return how long each request waits for the end of a pause (s)."""
    pauses = rng.poisson(world.pauses_per_min * (at_s[-1] - at_s[0]) / 60)
    starts = np.sort(rng.uniform(at_s[0], at_s[-1], pauses))
    ends = starts + np.minimum(rng.lognormal(np.log(0.03), 0.8, pauses), 0.1)
    latest = np.searchsorted(starts, at_s, side="right")
    return np.maximum(np.concatenate(([-np.inf], ends))[latest] - at_s, 0.0)


def _waited(world: World, hit: Hit, at_s: Floats, latency_s: Floats, rng: np.random.Generator) -> Floats:
    if hit.kind == "fail":
        return np.full(len(at_s), 0.002)
    if hit.kind == "slow":
        return np.minimum(world.slo_s * rng.uniform(1.1, 3.5, len(at_s)), 0.99 * world.timeout_s)
    return hit.end_s - at_s + latency_s


def _shadow(world: World, at_s: Floats) -> Bools:
    """Return which arrivals come so soon after a hit that a spike would, by definition, still be its outage: none is drawn there."""
    reach = round(1 / (1 - world.ratio)) + 1 if world.ratio < 1 else len(at_s)
    shadow = np.zeros(len(at_s), dtype=np.bool_)
    for hit in world.hits:
        first = int(np.searchsorted(at_s, hit.end_s - world.slo_s))
        shadow[first : int(np.searchsorted(at_s, hit.end_s)) + reach] = True
    return shadow


def truth_of(world: World, traffic: Traffic) -> Truth:
    """Return the right answer, from which requests each hit made bad."""
    hurt = [np.flatnonzero(traffic.hit == index) for index in range(len(world.hits))]
    sizes = [_size(world, traffic, bad) for bad in hurt]
    real = [bad for bad, size in zip(hurt, sizes, strict=True) if size == "outage"]
    after = [int(bad[-1]) + 1 for bad in real]
    ends = [float(traffic.at_s[index]) if index < len(traffic.at_s) else np.inf for index in after]
    recovered = max(ends, default=0.0)
    return Truth(
        rto_s=recovered if recovered <= world.heal_s else None,
        end_s=max((hit.end_s for hit in world.hits), default=0.0),
        outages=_separate(world, traffic, real),
        bad=sum(len(bad) for bad in hurt),
        clear="unclear" not in sizes,
        floor=all(size == "residue" for size in sizes),
    )


def _size(world: World, traffic: Traffic, bad: Ints) -> Literal["outage", "residue", "unclear"]:
    """Say what the definition makes of one hit: more bad requests, in a row or beyond the allowance, than chance would make."""
    least = {0.9: 6, 0.95: 5, 0.99: 3, 0.999: 2}[world.ratio]
    longest, lasted_s = _longest_run(traffic, bad)
    excess, over_s = _largest_excess(traffic, bad, 1 - world.ratio)
    needed = {0.9: 29, 0.95: 59, 0.99: 299, 0.999: 2995}[world.ratio]
    window_s = max(world.hold_s, needed / world.rate_rps)
    fullest = int((np.searchsorted(traffic.at_s[bad], traffic.at_s[bad] + window_s) - np.arange(len(bad))).max(initial=0))
    filled = fullest / ((1 - world.ratio) * window_s * world.rate_rps)
    if (longest >= least and lasted_s >= SHORTEST_S) or (excess > 6 and over_s >= SHORTEST_S) or filled > 1.5:
        return "outage"
    doubtful = ((longest >= least or excess > 5) and max(lasted_s, over_s) > 0.5 * SHORTEST_S) or filled > 0.6
    return "unclear" if doubtful else "residue"


def _largest_excess(traffic: Traffic, bad: Ints, allowed: float) -> tuple[float, float]:
    """Return by how many the bad requests of one hit exceed the ``allowed`` share at most, and over how long (s)."""
    total, largest, lasted_s, since, before = 0.0, 0.0, 0.0, 0, 0
    for index in bad:
        total -= allowed * (index - before - 1)
        if total <= 0:
            total, since = 0.0, index
        total, before = total + 1 - allowed, index
        if total > largest:
            largest, lasted_s = total, traffic.at_s[min(index + 1, len(traffic.at_s) - 1)] - traffic.at_s[since]
    return largest, float(lasted_s)


def _longest_run(traffic: Traffic, bad: Ints) -> tuple[int, float]:
    """Return the number and the time (s) of the longest run of neighbours in ``found``, up to the next arrival."""
    if not len(bad):
        return 0, 0.0
    runs = np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1)
    run = max(runs, key=len)
    return len(run), float(traffic.at_s[min(run[-1] + 1, len(traffic.at_s) - 1)] - traffic.at_s[run[0]])


def _separate(world: World, traffic: Traffic, real: list[Ints]) -> int:
    """Count outages: hits closer than a hold are one."""
    spans = sorted((float(traffic.at_s[bad[0]]), float(traffic.at_s[bad[-1]])) for bad in real)
    return sum(1 for index, (start, _) in enumerate(spans) if index == 0 or start > spans[index - 1][1] + world.hold_s + 1.0)
