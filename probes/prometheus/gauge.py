"""A gauge of a role's servers: how often it is scraped, and its sum now.

How old a value may be follows from how far apart its samples are, and from how late they come: what is scraped every 30 s is as good a
source as what is scraped every second, of a coarser resolution.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from history.errors import NoData
from probes.prometheus.answer import Labels, Series, Unanswered
from probes.prometheus.client import ask
from probes.prometheus.gauge_names import NAME, instead, matchers_for, name_of
from probes.prometheus.series import OF_SCRAPES, PODS, once, pod_of
from target.region import Region
from target.role import Role

LEAST_FRESH_S = 5.0
MISSED = 1.5  # a scrape may be late by half of the time between two
LATE_S = 60.0  # more is no delay of a store, but a target that is not scraped any more
LOOK_BACK_S = (60, 600)
"""How far back samples are looked at to see how far apart they are (s); the second, if the first holds too few."""
FEW = 3


@dataclass(frozen=True, slots=True)
class Gauge:
    """Where it is asked for, and how it is scraped (s): how far apart its samples are, how late they can be asked for.

    ``ahead_s``: Prometheus' clock, of this machine's.
    """

    region: Region
    selector: str
    every_s: float
    late_s: float = 0.0
    ahead_s: float = 0.0

    @property
    def seen_s(self) -> float:
        """After how long at the latest a change is seen (s)."""
        return MISSED * self.every_s + self.late_s

    @property
    def fresh_s(self) -> float:
        """How old a value may be (s)."""
        return max(LEAST_FRESH_S, self.seen_s)


@dataclass(frozen=True, slots=True)
class Reading:
    """The sum over a gauge's series, and when the newest of them was scraped (s since 1970 by this machine's clock).

    ``pods``: those that the series name. ``shared``: the labels that they all have.
    """

    value: float
    at_s: float
    pods: frozenset[str] = frozenset()
    shared: Labels = field(default_factory=dict)


def read(gauge: Gauge) -> Reading:
    """Return the sum of the newest values, each series once. Raises NoData as :func:`ask`; or none is as fresh as it should be."""
    found = once(_raw(gauge.region, gauge.selector, math.ceil(gauge.fresh_s)))
    if not found:
        raise NoData(
            f"Prometheus: {gauge.selector} has no value of the last {gauge.fresh_s:g} s, and was scraped every {gauge.every_s:.3g} s when "
            "that was first asked; see its page of targets"
        )
    if odd := next((one for one in found if not math.isfinite(one.value)), None):
        raise NoData(
            f"Prometheus: {gauge.selector} is {odd.value:g} by {odd.name}, which is no number of requests; see its server's /metrics"
        )
    total = math.fsum(one.value for one in found)
    at_s = max(one.at_s for one in found) - gauge.ahead_s
    shared = dict(set.intersection(*(set(one.labels.items()) for one in found)))
    shared = {name: value for name, value in sorted(shared.items()) if name not in {NAME, *PODS, *OF_SCRAPES}}
    return Reading(total, at_s, frozenset(pod for one in found if (pod := pod_of(one.labels))), shared)


_found: dict[tuple[str, str, str, str], Gauge] = {}
"""Gauges by URL, what is asked for, its name or engine, and matchers: looked for once a process, which is a run."""


def find(region: Region, role: Role | None, what: str, metric: str = "", labels: str = "") -> Gauge:
    """Return a gauge of a role's servers.

    Args:
        region: whose Prometheus is asked; its labels are added.
        role: whose servers; the names of its adapter are taken, and its labels (its namespace) added.
        what: one of :data:`target.engines.GAUGES`.
        metric: its name; left out: whichever Prometheus has of those of known engines.
        labels: PromQL label matchers without braces; they come before those of role and region.

    Raises:
        NoData: as :func:`ask`; or it is not there (the sentence says what is), is of two engines, or is not scraped any more.

    """
    matchers = matchers_for(region, role, labels)
    engine = role.adapter or "" if role else ""
    key = (region.prometheus.url if region.prometheus else "", what, metric or f"of {engine}", matchers)
    if key not in _found:
        name = metric or name_of(region, role, what, matchers)
        _found[key] = _timed(region, name, what, matchers)
    return _found[key]


def _timed(region: Region, name: str, what: str, matchers: str) -> Gauge:
    """Return the gauge with how far apart its samples are, how late they come, and how far Prometheus' clock is ahead."""
    selector = f"{name}{{{matchers}}}"
    found: list[Series] = []
    for back_s in LOOK_BACK_S:
        found = _raw(region, selector, back_s)
        if found and all(len(one.points) >= FEW for one in found):
            break
    if not found:
        raise NoData(instead(region, (name,), what, matchers))
    apart_s = [_apart_s(one) for one in found if len(one.points) >= FEW] or [_apart_s(one) for one in found if len(one.points) > 1]
    if not apart_s:
        raise NoData(f"Prometheus: {selector} was scraped once in the last {back_s} s: how often is not known yet; wait for the next time")
    every_s = max(apart_s)
    now_s, ahead_s = _clock(region)
    age_s = now_s - max(one.at_s for one in found)
    if age_s > MISSED * every_s + LATE_S:
        said = f"was scraped every {every_s:.3g} s, the last time {age_s:.0f} s ago"
        raise NoData(f"Prometheus: {selector} {said}; see its page of targets")
    return Gauge(region, selector, every_s, max(0.0, age_s - every_s), ahead_s)


def _raw(region: Region, selector: str, back_s: int) -> list[Series]:
    """Return the samples of the last ``back_s`` seconds as they were scraped."""
    return [one for one in ask(region, f"{selector}[{back_s}s]").series if one.points]


def _apart_s(series: Series) -> float:
    return median(after - before for (before, _), (after, _) in pairwise(series.points))


def _clock(region: Region) -> tuple[float, float]:
    """Return what Prometheus' clock says, and by how much it is ahead of this machine's (s)."""
    before_s = time.time()
    now = ask(region, "vector(1)").series
    if not now:
        raise Unanswered("Prometheus: the answer to vector(1) is empty; something answers in its place; see url and auth")
    return now[0].at_s, now[0].at_s - (before_s + time.time()) / 2
