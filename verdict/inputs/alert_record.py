"""What was recorded of one alerting rule: when Prometheus said that it fired, and when nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from history.alert_plan import AlertPlan
from history.schema import AlertState

ACTIVE = frozenset({AlertState.PENDING.value, AlertState.FIRING.value})


class Firing(NamedTuple):
    """A stretch of answers that say that a rule fires: from the first of them to the first that says otherwise.

    ``end_ns`` is ``None`` if it fired in the last answer. ``silent_ns`` is the answer before, by which it did not fire as yet; ``None``: it
    fired in the first answer. ``active_ns`` is the first answer by which it waited (pending) for this firing, or ``start_ns``.
    ``inactive_ns`` is the answer before that one; ``None``: there is none.
    """

    start_ns: int
    end_ns: int | None
    silent_ns: int | None
    active_ns: int
    inactive_ns: int | None

    def began_after(self, t_ns: int, fresh_ns: int) -> bool:
        """Tell whether what it tells of is known to have begun after ``t_ns``: it did not even wait then, by an answer that still held."""
        if self.active_ns < t_ns or self.inactive_ns is None:
            return False
        return self.inactive_ns >= t_ns or self.active_ns - self.inactive_ns <= fresh_ns


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """What was recorded of one rule (ns UTC, in order of time)."""

    states: tuple[tuple[int, str], ...]  # each answer: when, and an AlertState
    firings: tuple[Firing, ...]

    def begun_within(self, from_ns: int, to_ns: int) -> Firing | None:
        """Return the first firing that was seen to begin within a stretch of time, if any."""
        return next((one for one in self.firings if one.silent_ns is not None and from_ns <= one.start_ns <= to_ns), None)

    def standing_at(self, t_ns: int) -> Firing | None:
        """Return the firing that was going on at ``t_ns``, or when the record began after it; if any."""
        begun = (one for one in self.firings if one.start_ns < t_ns or one.silent_ns is None)
        return next((one for one in begun if one.end_ns is None or one.end_ns > t_ns), None)

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
    answers = list(own.select("t_ns", "state").iter_rows())
    return AlertRecord(
        states=tuple(answers),
        firings=tuple(_firings(answers)),
    )


def _firings(answers: Iterable[tuple[int, str]]) -> Iterator[Firing]:
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
            begun = Firing(t_ns, None, before_ns, t_ns if active_ns is None else active_ns, inactive_ns)
        before_ns = t_ns
    if begun is not None:
        yield begun
