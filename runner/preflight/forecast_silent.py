"""A replica that falls silent behind balancers that choose the least busy one: who meets it, and for how long users notice.

What a gateway sends it waits there until the gateway takes the replica out, and counts as open meanwhile: the gateway sends the next ones
elsewhere, until the others are as busy. So only a few requests are lost, and whether they make an outage, and how long it is, depends on
how busy each gateway was when: that no manifest says. The forecast is therefore a distribution: the gateways are played often, request by
request, and each play is judged by the verdict's own rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from runner.drivers.platform_timers import Demand
from verdict.inputs.attempts import Bools, Floats
from verdict.inputs.outages import Rule, find_outages
from verdict.statistics import arrivals_needed

PLAYS = 200
MOST_ARRIVALS = 40_000
"""Of all plays: a forecast is part of a preflight of seconds. With more arrivals in a play there are fewer plays, at least FEWEST."""
FEWEST = 20
SEED = 1
ANSWER_S, ANSWER_SPREAD = 0.12, 0.45
"""Median of what an answer takes, and the standard deviation of its logarithm (measured at 20 requests/s: quartiles 79, 119, 160 ms)."""
WARM_S = 1.0
"""The gateways are played this much longer before the silence: as long as nearly every answer takes."""
LIKELY = (0.05, 0.95)
"""The quantiles between which nine of ten plays lie."""


class Between(NamedTuple):
    """Any time between two, equally likely (s)."""

    low_s: float
    high_s: float

    @property
    def mean_s(self) -> float:
        """The middle."""
        return (self.low_s + self.high_s) / 2


@dataclass(frozen=True, slots=True)
class Silence:
    """When a replica falls silent (s after t_fault), and how much later gateways take it out: each by its own checks, or all at once."""

    begins: Between
    out_after: Between
    each: bool


class Felt(NamedTuple):
    """How long users notice it (s): the value that half of the felt outages exceed (0: fewer than half are felt), and where 9 of 10 lie."""

    expected_s: float
    low_s: float
    high_s: float


@lru_cache(maxsize=64)
def felt(silence: Silence, demand: Demand) -> Felt:
    """Return how long users notice ``silence``: the median and the range of many plays with a fixed seed."""
    rng = np.random.default_rng(SEED)
    arrivals = demand.rate_rps * (WARM_S + silence.out_after.high_s)
    plays = int(np.clip(MOST_ARRIVALS / arrivals, FEWEST, PLAYS))
    rtos_s = np.array([_play(rng, silence, demand) for _ in range(plays)])
    noticed = rtos_s[rtos_s > 0]
    expected_s = float(np.median(noticed)) if 2 * len(noticed) >= plays else 0.0
    low_s, high_s = np.quantile(rtos_s, LIKELY)
    return Felt(expected_s, min(float(low_s), expected_s), max(float(high_s), expected_s))


def _play(rng: np.random.Generator, silence: Silence, demand: Demand) -> float:
    """Return the RTO of one play (s): arrivals by Poisson, from a while before the silence to a hold after it."""
    begins_s = rng.uniform(*silence.begins)
    outs_s = begins_s + rng.uniform(*silence.out_after, size=demand.gateways if silence.each else 1)
    out_s: Floats = np.broadcast_to(outs_s, demand.gateways)
    until_s = float(out_s.max()) + max(demand.hold_s, 2 * arrivals_needed(demand.slo.ratio) / demand.rate_rps)
    first_s = begins_s - WARM_S
    count = int(rng.poisson(demand.rate_rps * (until_s - first_s)))
    asked_s = np.sort(rng.uniform(first_s, until_s, count))
    takes_s = ANSWER_S * np.exp(ANSWER_SPREAD * rng.standard_normal(count))
    limit_s = np.where(rng.random(count) < demand.streamed, demand.slo.ttft_ms or demand.slo.latency_ms, demand.slo.latency_ms) / 1e3
    waits_s = _waits(asked_s, takes_s, begins_s, out_s, demand.replicas)
    good: Bools = waits_s + ANSWER_S <= limit_s
    after, rule = asked_s >= 0, Rule(demand.slo.ratio, int(demand.hold_s * 1e9))
    found = find_outages(np.asarray(asked_s[after] * 1e9, dtype=np.int64), good[after], rule, int(until_s * 1e9))
    return (found.outages[-1].end_ns or 0) / 1e9 if found.outages else 0.0


def _waits(asked_s: Floats, takes_s: Floats, begins_s: float, out_s: Floats, replicas: int) -> Floats:
    """Return how long each request waits at the silent replica (s; 0: it never met it).

    A balancer goes round the gateways (request i reaches gateway i mod n). Each sends a request to the replica with the fewest open ones
    of its own, of those to the one that it asked longest ago. Replica 0 falls silent with all that is open there.
    """
    waits_s: Floats = np.zeros(len(asked_s))
    for gateway, gone_s in enumerate(out_s.tolist()):
        ends: list[list[float]] = [[] for _ in range(replicas)]
        asked_last = [0.0] * replicas
        for one in range(gateway, int(np.searchsorted(asked_s, gone_s)), len(out_s)):
            now_s, takes = float(asked_s[one]), float(takes_s[one])
            ends = [[end for end in open_ if end > now_s] for open_ in ends]
            chosen = min(range(replicas), key=lambda replica: (len(ends[replica]), asked_last[replica]))
            asked_last[chosen] = now_s
            met = chosen == 0 and now_s + takes > begins_s
            waits_s[one] = gone_s - now_s if met else 0.0
            ends[chosen].append(gone_s if met else now_s + takes)
    return waits_s
