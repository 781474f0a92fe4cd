"""What replicas said of themselves, and what Kubernetes said of them: as spans of time, and how long all of them said green."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import polars as pl

from history.schema import EventKind, Series
from verdict.case import Case
from verdict.inputs.labels import label_of
from verdict.shared.once import once

LARGEST_PERIOD_S = 30.0
PERIODS = 3
"""A health answer holds until the next one, at most this many usual periods."""

Sample = tuple[int, float]
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Claim:
    """A pod's health was ``green`` (or not) in [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    green: bool


@once
def health_claims(case: Case) -> dict[str, list[Claim]]:
    """Return for each pod of the workload's role what it said of itself when it was asked (rule: :func:`_claims`)."""
    role = case.workload.role
    return _of_samples(case, {Series.HEALTH.value}, lambda said: said is None or said == role)


@once
def serving_claims(case: Case) -> dict[str, list[Claim]]:
    """Return for each pod of every role whether it would serve: what it said, or whether its node was heard of where nobody can ask it."""
    return _of_samples(case, {Series.HEALTH.value, Series.NODE_HEARD.value}, lambda _: True)


@once
def asked_pods(case: Case) -> frozenset[str]:
    """Return the pods that were themselves asked. Of others only their condition is known, and whether their node was heard of."""
    return frozenset(_of_samples(case, {Series.HEALTH.value}, lambda _: True))


def _of_samples(case: Case, series: set[str], wanted: Callable[[str | None], bool]) -> dict[str, list[Claim]]:
    known = pl.col("series").is_in(list(series)) & pl.col("value").is_finite() & pl.col("t_ns").is_not_null()
    samples: dict[str, list[Sample]] = {}
    for t_ns, labels, value in case.run.samples.filter(known).sort("t_ns").select("t_ns", "labels", "value").iter_rows():
        pod = label_of(labels, "pod")
        if pod is not None and wanted(label_of(labels, "role")):
            samples.setdefault(pod, []).append((t_ns, value))
    gone = {event.object: event.t_ns for event in case.timeline.all(EventKind.POD_GONE)}
    return {pod: _claims(of_pod, gone.get(pod)) for pod, of_pod in samples.items()}


def _claims(samples: list[Sample], gone_ns: int | None) -> list[Claim]:
    """Return what a pod's answers claim, each until the next.

    A green answer holds until the next one, but for at most three usual periods. Any other answer holds until the next one: a replica that
    does not answer is asked less often, since each question waits for its time limit.
    """
    times = [t_ns for t_ns, _ in samples]
    gaps = [after - before for before, after in pairwise(times)]
    usual_ns = min(median(gaps) if gaps else LARGEST_PERIOD_S * 1e9, LARGEST_PERIOD_S * 1e9)
    nexts = [*times[1:], times[-1] + int(usual_ns)]
    ends = [after if value < 1 else min(after, int(t + PERIODS * usual_ns)) for (t, value), after in zip(samples, nexts, strict=True)]
    if gone_ns is not None:
        ends = [min(end, gone_ns) if t < gone_ns else end for t, end in zip(times, ends, strict=True)]
    return [Claim(t, end, value >= 1) for (t, value), end in zip(samples, ends, strict=True)]


def readiness_claims(case: Case) -> dict[str, list[Claim]]:
    """Return for each pod whether Kubernetes held it to be Ready, from pod events."""
    end_ns = case.recovery.watched_ns if case.recovery else case.arrivals.stop_ns
    claims: dict[str, list[Claim]] = {}
    open_claim: dict[str, tuple[int, bool]] = {}
    for event in case.timeline.all(EventKind.POD_READY, EventKind.POD_UNREADY, EventKind.POD_GONE):
        if event.object in open_claim:
            start_ns, green = open_claim.pop(event.object)
            claims.setdefault(event.object, []).append(Claim(start_ns, event.t_ns, green))
        if event.kind != EventKind.POD_GONE.value:
            open_claim[event.object] = (event.t_ns, event.kind == EventKind.POD_READY.value)
    for pod, (start_ns, green) in open_claim.items():
        claims.setdefault(pod, []).append(Claim(start_ns, end_ns, green))
    return claims


def all_green_ns(claims: dict[str, list[Claim]], within: Interval) -> int:
    """Return for how long (ns) of ``within`` at least one pod claimed something and none claimed anything but green."""
    start_ns, end_ns = within
    changes: list[tuple[int, int, int]] = []  # time, change of claims, change of claims that are not green
    for claim in (claim for of_pod in claims.values() for claim in of_pod):
        first, last = max(claim.start_ns, start_ns), min(claim.end_ns, end_ns)
        if first < last:
            changes += [(first, 1, int(not claim.green)), (last, -1, -int(not claim.green))]
    green, known, red, since = 0, 0, 0, start_ns
    for t_ns, claimed, not_green in sorted(changes):
        green += t_ns - since if known and not red else 0
        known, red, since = known + claimed, red + not_green, t_ns
    return green
