"""What was recorded of one alerting rule: when Prometheus said that each of its alerts fired, and when nobody knows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from history.alert_plan import AlertPlan
from history.schema import AlertState

ACTIVE = frozenset({AlertState.PENDING.value, AlertState.FIRING.value})
WEAKER = {state.value: rank for rank, state in enumerate((AlertState.FIRING, AlertState.PENDING, AlertState.FAILED, AlertState.INACTIVE))}
Answers = list[tuple[int, str]]
"""What each answer says: when (ns UTC), and an AlertState; in order of time."""


class Firing(NamedTuple):
    """A stretch of answers that say that an alert fires: from the first of them to the first that says otherwise.

    ``end_ns`` is ``None`` if it fired in the last answer. ``silent_ns`` is the answer before, by which it did not fire as yet; ``None``: it
    fired in the first answer. ``active_ns`` is the first answer by which it waited (pending) for this firing, or ``start_ns``.
    ``inactive_ns`` is the answer before that one; ``None``: there is none.
    """

    start_ns: int
    end_ns: int | None
    silent_ns: int | None
    active_ns: int
    inactive_ns: int | None
    named: frozenset[str] = frozenset()  # the values of the alert's labels

    def began_after(self, t_ns: int, fresh_ns: int) -> bool:
        """Tell whether what it tells of is known to have begun after ``t_ns``: it did not even wait then, by an answer that still held."""
        if self.active_ns < t_ns or self.inactive_ns is None:
            return False
        return self.inactive_ns >= t_ns or self.active_ns - self.inactive_ns <= fresh_ns


@dataclass(frozen=True, slots=True)
class Instance:
    """One alert of a rule: its firings in order of time. Where a row speaks for all alerts of its rule, they are one."""

    firings: tuple[Firing, ...]

    def begun_within(self, from_ns: int, to_ns: int) -> Firing | None:
        """Return the first firing that was seen to begin within a stretch of time, if any."""
        return next((one for one in self.firings if one.silent_ns is not None and from_ns <= one.start_ns <= to_ns), None)

    def standing_at(self, t_ns: int) -> Firing | None:
        """Return the firing that was going on at ``t_ns``, or when the record began after it; if any."""
        begun = (one for one in self.firings if one.start_ns < t_ns or one.silent_ns is None)
        return next((one for one in begun if one.end_ns is None or one.end_ns > t_ns), None)

    def new_within(self, from_ns: int, to_ns: int, fresh_ns: int) -> Firing | None:
        """Return its first firing within a stretch of time, if what that tells of is known to have begun in it, too."""
        first = self.begun_within(from_ns, to_ns)
        return first if first and not self.standing_at(from_ns) and first.began_after(from_ns, fresh_ns) else None


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """What was recorded of one rule, as a whole and of each of its alerts."""

    states: tuple[tuple[int, str], ...]  # each answer: when, and the strongest AlertState of its alerts
    instances: tuple[Instance, ...]

    def begun_within(self, from_ns: int, to_ns: int) -> Firing | None:
        """Return the first firing of any alert that was seen to begin within a stretch of time, if any."""
        return _first(one.begun_within(from_ns, to_ns) for one in self.instances)

    def new_within(self, from_ns: int, to_ns: int, fresh_ns: int) -> Firing | None:
        """Return the first firing of an alert that neither fired nor waited before a stretch of time, if any."""
        return _first(one.new_within(from_ns, to_ns, fresh_ns) for one in self.instances)

    def older_within(self, from_ns: int, to_ns: int, fresh_ns: int) -> bool:
        """Tell whether an alert fired in a stretch of time that fired or waited before it already, or may have."""
        return self.standing_at(from_ns) is not None or any(
            one.begun_within(from_ns, to_ns) and not one.new_within(from_ns, to_ns, fresh_ns) for one in self.instances
        )

    def standing_at(self, t_ns: int) -> Firing | None:
        """Return a firing that was going on at ``t_ns``, or when the record began after it; if any."""
        return _first(one.standing_at(t_ns) for one in self.instances)

    def fired_within(self, from_ns: int, to_ns: int) -> int | None:
        """Return when an alert fired last within a stretch of time, of those that began before its end; if any did."""
        before = [one for instance in self.instances for one in instance.firings if one.start_ns < to_ns]
        return max((until for one in before if (until := min(one.end_ns or to_ns, to_ns)) >= from_ns), default=None)

    def failed_within(self, from_ns: int, to_ns: int) -> bool:
        """Tell whether its evaluation was said to fail within a stretch of time."""
        return any(from_ns <= t_ns <= to_ns and state == AlertState.FAILED.value for t_ns, state in self.states)

    def blind_ns(self, from_ns: int, to_ns: int, fresh_ns: int, *, evaluated: bool = False) -> int:
        """Return for how long within a stretch of time nobody knew what the rule said: its longest silence beyond ``fresh_ns``; 0: none.

        ``evaluated``: an answer that its evaluation failed says nothing, either.
        """
        saying = [t_ns for t_ns, state in self.states if not (evaluated and state == AlertState.FAILED.value)]
        asked_ns = [t_ns for t_ns in saying if from_ns - fresh_ns <= t_ns <= to_ns]
        since_ns = max((t_ns for t_ns in asked_ns if t_ns <= from_ns), default=from_ns)
        known = [since_ns, *(t_ns for t_ns in asked_ns if t_ns > since_ns), to_ns]
        return max((after - before for before, after in pairwise(known) if after - before > fresh_ns), default=0)


def alert_record(alerts: pl.DataFrame, rule: AlertPlan) -> AlertRecord:
    """Return what the table ``alerts`` says of ``rule``."""
    own = alerts.filter(pl.col("group") == rule.group, pl.col("rule") == rule.rule, pl.col("t_ns").is_not_null()).sort("t_ns")
    states = _strongest(own)
    apart = own["alerts"].null_count() == 0
    instances = _instances(own, states) if apart else [Instance(tuple(_firings(states)))]
    return AlertRecord(tuple(states), tuple(instances))


def _first(found: Iterable[Firing | None]) -> Firing | None:
    return min((one for one in found if one), key=lambda firing: firing.start_ns, default=None)


def _stronger(*states: str) -> str:
    return min(states, key=lambda state: WEAKER.get(state, len(WEAKER)))


def _strongest(rows: pl.DataFrame) -> Answers:
    """Return for each answer the strongest of the states that its rows say."""
    said: dict[int, str] = {}
    for t_ns, state in rows.select("t_ns", "state").iter_rows():
        said[t_ns] = _stronger(said.get(t_ns, state), state)
    return list(said.items())


def _instances(own: pl.DataFrame, states: Answers) -> Iterator[Instance]:
    """Yield each alert. One that an answer leaves out is inactive then, unless the rule could not be evaluated."""
    failed = {t_ns for t_ns, state in own.select("t_ns", "state").iter_rows() if state == AlertState.FAILED.value}
    said: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for labels, t_ns, state in own.filter(pl.col("state").is_in(ACTIVE)).select("labels", "t_ns", "state").iter_rows():
        said[labels][t_ns] = _stronger(said[labels].get(t_ns, state), state)  # labels can be alike once secrets are hidden
    for labels, by_time in said.items():
        absent = {t_ns: AlertState.FAILED.value if t_ns in failed else AlertState.INACTIVE.value for t_ns, _ in states}
        yield Instance(tuple(_firings((absent | by_time).items(), _values(labels))))


def _values(labels: str) -> frozenset[str]:
    try:
        found: object = json.loads(labels)
    except (TypeError, ValueError):  # they are missing, or damaged
        return frozenset()
    return frozenset(map(str, found.values())) if isinstance(found, dict) else frozenset()


def _firings(answers: Iterable[tuple[int, str]], named: frozenset[str] = frozenset()) -> Iterator[Firing]:
    begun, active_ns, inactive_ns, before_ns = None, None, None, None
    for t_ns, state in answers:
        if begun is not None and state != AlertState.FIRING.value:
            yield begun._replace(end_ns=t_ns)
            begun, active_ns = None, None
        if state == AlertState.INACTIVE.value:
            active_ns = None
        elif active_ns is None and state in ACTIVE:
            active_ns, inactive_ns = t_ns, before_ns
        if begun is None and state == AlertState.FIRING.value:
            begun = Firing(t_ns, None, before_ns, t_ns if active_ns is None else active_ns, inactive_ns, named)
        before_ns = t_ns
    if begun is not None:
        yield begun
