"""Replicas that can serve, over time, and when they were all back.

What counts as ready stands in :mod:`verdict.shared.ready`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from history.schema import API_SERVER, EventKind, Series
from verdict.case import Case
from verdict.inputs.labels import label_of
from verdict.shared.health import asked_pods
from verdict.shared.once import once
from verdict.shared.ready import ILL, READY, UNREADY, Change, answers, conditions

STALE_S = 15.0
"""Ready replicas that were last counted longer ago than this, when watching ended, are not known."""


class Step(NamedTuple):
    """From ``t_ns`` on, ``ready`` replicas are ready."""

    t_ns: int
    ready: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """When the replicas of all roles were ready again. ``full_ns`` is ``None`` if they were not when watching ended.

    Replicas that may run only on nodes which the fault took away can be back only with these: they are not waited for.

    ``unknown`` says why nothing can be said; ``dropped`` is false if no replica ever ceased to be ready after the fault. ``asked``: they
    were asked whether they serve; otherwise their condition is all that is known.
    """

    full_ns: int | None = None
    dropped: bool = False
    ready: float = 0.0
    desired: int = 0
    unknown: str = ""
    asked: bool = True

    @property
    def ready_in_words(self) -> str:
        """Return what the counted replicas were: ``ready``, or ``Ready by their condition``."""
        return "ready" if self.asked else "Ready by their condition"


@once
def capacity_of(case: Case, *, trust_readiness: bool = False) -> Capacity:
    """Return when full capacity was back: the last time, before healing, at which a role's replicas reached the number that is waited for.

    With ``trust_readiness`` the condition of a pod is enough.
    """
    desired, back = case.run.plan.replicas_desired, case.run.plan.replicas_back
    if case.recovery is None:
        return Capacity(unknown="no fault was injected")
    if not desired:
        return Capacity(unknown="the plan names no desired replicas")
    answered = [] if trust_readiness else answers(case)
    of_roles = [_of_role(case, role, (wanted, back[role]), answered) for role, wanted in desired.items()]
    unknown = next((capacity for capacity in of_roles if capacity.unknown), None)
    if unknown:
        return unknown
    worst = min(of_roles, key=lambda capacity: (capacity.full_ns is not None, -(capacity.full_ns or 0)))
    dropped = any(c.dropped for c in of_roles)
    if not dropped and API_SERVER in case.run.plan.takes_away:
        return Capacity(unknown="none was seen to be lost, but the fault took the API server away, which alone would have said so")
    return replace(worst, dropped=dropped)


def _of_role(case: Case, role: str, wanted: tuple[int, int], answered: list[Change]) -> Capacity:
    """Return the capacity of one role, of which ``wanted`` replicas must have been ready before the fault and must be so after it."""
    assert case.recovery is not None  # noqa: S101 - told by capacity_of
    start_ns, end_ns = case.recovery.fault_ns, case.recovery.watched_ns
    bound, waited = wanted[0] - wanted[1], _waited_for(case, role, wanted)
    desired = int(_at(waited, start_ns)) + bound
    members = {event.object for event in case.timeline.all(EventKind.POD_READY) if event.detail.get("role") == role}
    asked = bool(answered) and not members.isdisjoint(asked_pods(case))
    steps = _before_and_after(_by_events(case, members, answered), start_ns, end_ns)
    sampled = _before_and_after(_by_samples(case, role), start_ns, end_ns)
    if sampled and (not steps or steps[0].ready < desired):
        steps, asked = sampled, False
        if end_ns - steps[-1].t_ns > STALE_S * 1e9:
            return Capacity(unknown=f"ready replicas of {role} were last counted {(end_ns - steps[-1].t_ns) / 1e9:.0f} s before the end")
    if not steps:
        return Capacity(unknown=f"no ready replicas of {role} were recorded before the fault")
    if steps[0].ready < desired:
        return Capacity(unknown=f"only {steps[0].ready:g} of {desired} replicas of {role} were ready before the fault")
    over = _over(steps, waited, start_ns, end_ns)
    full = [start_ns, *(after.t_ns for before, after in pairwise(over) if before.ready < 0 <= after.ready)]
    dropped, last = any(step.ready < 0 for step in over), over[-1].ready
    return Capacity(full[-1] if last >= 0 else None, dropped, steps[-1].ready, int(_at(waited, end_ns)), asked=asked)


def _waited_for(case: Case, role: str, planned: tuple[int, int]) -> list[Step]:
    """Return how many replicas are waited for, over time: what the controllers want, less those bound to lost nodes; at first as planned.

    A lower number may have been set at any time since the sample before: it holds from then on.
    """
    sampled = _by_samples(case, role, Series.DESIRED_REPLICAS)
    lower = {after.t_ns: before.t_ns for before, after in pairwise(sampled) if after.ready < before.ready}
    return [Step(0, planned[1]), *(Step(lower.get(t_ns, t_ns), wanted - planned[0] + planned[1]) for t_ns, wanted in sampled)]


def _at(steps: list[Step], t_ns: int) -> float:
    """Return what held at ``t_ns``; before the first step, that."""
    return next((step.ready for step in reversed(steps) if step.t_ns <= t_ns), steps[0].ready)


def _over(ready: list[Step], waited: list[Step], start_ns: int, end_ns: int) -> list[Step]:
    """Return by how much the ready replicas exceed (below zero: lack) those that are waited for, after every change of either."""
    times = {step.t_ns for step in (*ready, *waited) if start_ns <= step.t_ns <= end_ns}
    return [Step(t_ns, _at(ready, t_ns) - _at(waited, t_ns)) for t_ns in sorted({start_ns - 1, *times})]


def _before_and_after(steps: list[Step], start_ns: int, end_ns: int) -> list[Step]:
    """Return the step that held just before ``start_ns`` and those from then until ``end_ns``; empty if none held then."""
    before = [step for step in steps if step.t_ns < start_ns]
    return before[-1:] + [step for step in steps if start_ns <= step.t_ns <= end_ns] if before else []


def _by_events(case: Case, members: set[str], answered: list[Change]) -> list[Step]:
    """Return how many of the pods ``members`` are Ready and not known to be ill, after every change of it."""
    ready: set[str] = set()
    ill: set[str] = set()
    steps: list[Step] = []
    for t_ns, pod, kind in sorted([*conditions(case), *answered]):
        if pod not in members:
            continue
        group, add = (ready, kind == READY) if kind in {READY, UNREADY} else (ill, kind == ILL)
        (group.add if add else group.discard)(pod)
        size = len(ready - ill)
        steps += [Step(t_ns, size)] if not steps or steps[-1].ready != size else []
    return steps


def _by_samples(case: Case, role: str, series: Series = Series.READY_REPLICAS) -> list[Step]:
    wanted = (pl.col("series") == series.value) & pl.col("value").is_finite() & pl.col("t_ns").is_not_null()
    rows: Iterable[tuple[int, str, float]] = case.run.samples.filter(wanted).sort("t_ns").select("t_ns", "labels", "value").iter_rows()
    return [Step(t_ns, value) for t_ns, labels, value in rows if label_of(labels, "role") == role]
