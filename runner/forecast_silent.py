"""A replica that falls silent behind balancers that choose the least busy one: who meets it, and for how long users notice.

Each gateway sends it one request, which waits there until the gateway takes the replica out; while that request is open the gateway
sends the next ones elsewhere. So only a few requests are lost, and whether they make an outage, and how long it is, depends on where in
their rotation the gateways were when the replica fell silent: that no manifest says. The forecast is therefore a distribution: the
gateways are played often, from every place of their rotation, and each play is judged by the verdict's own rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from history.plan import Slo
from verdict.attempts import Bools, Floats, Ints
from verdict.outages import Rule, find_outages
from verdict.sampling import arrivals_needed

PLAYS = 200
SEED = 1
ANSWER_S = 0.15
"""What a usual answer takes (measured at 20 requests/s: 0.1 s, the first token of a stream 0.15 s)."""
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
class Demand:
    """What users ask, of how many gateways in front of how many replicas."""

    rate_rps: float
    gateways: int
    replicas: int
    slo: Slo
    streamed: float  # share of requests
    hold_s: float


class Kind(Protocol):
    """One kind of request in a workload."""

    @property
    def weight(self) -> float:
        """How often it is asked, against the others."""

    @property
    def stream(self) -> bool:
        """Whether its answer is streamed."""


def demand_of(rate_rps: float, mix: Sequence[Kind], slo: Slo, gateways: int, replicas: int) -> Demand:
    """Return what ``mix`` at ``rate_rps`` asks of ``replicas`` behind ``gateways``; held as long as the SLO's ratio needs arrivals."""
    streamed = sum(one.weight for one in mix if one.stream) / sum(one.weight for one in mix)
    return Demand(rate_rps, gateways, replicas, slo, streamed, arrivals_needed(slo.ratio) / rate_rps)


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
    """Return how long users notice ``silence``.

    Gateways behind a balancer that goes round get every n-th request each, and go round the replicas in turn: they may be in step (then
    one replica gets as many requests in a row as there are gateways) or not. The expected value is of those in step, which is how
    gateways stand that saw the replicas come together; the range is of both.
    """
    rng = np.random.default_rng(SEED)
    in_step, out_of_step = (np.array([_play(rng, silence, demand, step=step) for _ in range(PLAYS)]) for step in (True, False))
    noticed = in_step[in_step > 0]
    expected_s = float(np.median(noticed)) if 2 * len(noticed) >= PLAYS else 0.0
    low_s, high_s = np.quantile(np.concatenate((in_step, out_of_step)), LIKELY)
    return Felt(expected_s, min(float(low_s), expected_s), max(float(high_s), expected_s))


def _play(rng: np.random.Generator, silence: Silence, demand: Demand, *, step: bool) -> float:
    """Return the RTO of one play (s): arrivals by Poisson, from one answer's time before the silence to a hold after it."""
    begins_s = rng.uniform(*silence.begins)
    outs_s = begins_s + rng.uniform(*silence.out_after, size=demand.gateways if silence.each else 1)
    out_s: Floats = np.broadcast_to(outs_s, demand.gateways)
    until_s = float(out_s.max()) + max(demand.hold_s, 2 * arrivals_needed(demand.slo.ratio) / demand.rate_rps)
    first_s = begins_s - ANSWER_S
    count = int(rng.poisson(demand.rate_rps * (until_s - first_s)))
    asked_s = np.sort(rng.uniform(first_s, until_s, count))
    limit_s = np.where(rng.random(count) < demand.streamed, demand.slo.ttft_ms or demand.slo.latency_ms, demand.slo.latency_ms) / 1e3
    met, gateway = _meets(rng, asked_s, out_s, demand, step=step)
    good: Bools = np.ones(count, dtype=np.bool_)
    good[met] = out_s[gateway] - asked_s[met] + ANSWER_S <= limit_s[met]
    after, rule = asked_s >= 0, Rule(demand.slo.ratio, int(demand.hold_s * 1e9))
    found = find_outages(np.asarray(asked_s[after] * 1e9, dtype=np.int64), good[after], rule, int(until_s * 1e9))
    return (found.outages[-1].end_ns or 0) / 1e9 if found.outages else 0.0


def _meets(rng: np.random.Generator, asked_s: Floats, out_s: Floats, demand: Demand, *, step: bool) -> tuple[Ints, Ints]:
    """Return which requests meet the silent replica (the first of each gateway that its rotation sends there), and whose they are."""
    turn = np.arange(len(asked_s)) + rng.integers(demand.gateways * demand.replicas)
    gateway, turns = turn % demand.gateways, turn // demand.gateways
    own = np.zeros(demand.gateways, dtype=np.int64) if step else rng.integers(demand.replicas, size=demand.gateways)
    there = np.flatnonzero(((turns + own[gateway]) % demand.replicas == 0) & (asked_s < out_s[gateway]))
    whose, first = np.unique(gateway[there], return_index=True)
    return there[first], whose
