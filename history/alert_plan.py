"""An alerting rule of the platform as a plan holds it."""

from __future__ import annotations

import math

from history.schema import DEFAULT_REGION
from history.values import FrozenModel

LEAST_FRESH_S, MISSED = 5.0, 3.0  # an answer of Prometheus about its rules holds for three questions, 5 s at least


class AlertPlan(FrozenModel):
    """One alerting rule that is judged, as Prometheus had it before the run, and how long it may take until it tells (s)."""

    rule: str
    group: str
    roles: tuple[str, ...]  # whose failure it is meant for
    workload: str  # the class whose users' harm counts
    query: str
    scrape_s: float
    scrape_timeout_s: float = 0.0  # after how long a scrape that hangs is given up; older plans: not counted
    evaluation_s: float
    for_s: float
    range_s: float = 0.0  # how far its expression looks back, with the recording rules that it reads
    within_s: float | None = None  # how soon it must tell, as the target file says; none: as its timers allow
    group_wait_s: float | None = None  # of Alertmanager, whose notification is awaited; none: a rule tells by firing
    group_interval_s: float | None = None  # after which Alertmanager tells of what fires again; none: not known, as in older plans
    fired_ns: int | None = None  # when it fired last before the plan was made, within that time; none: it did not, or nobody asked
    asked_every_s: float = 1.0  # how far apart the questions to Prometheus are
    region: str = DEFAULT_REGION

    @property
    def timers_s(self) -> float:
        """How long its own timers take at most, and Alertmanager's where its notification is awaited (s)."""
        return self.scrape_s + self.scrape_timeout_s + self.evaluation_s + self.waits_s + self.range_s + (self.group_wait_s or 0.0)

    @property
    def waits_s(self) -> float:
        """How long it is pending at most (s): whether its ``for`` is over is looked at in evaluations alone."""
        return math.ceil(round(self.for_s / self.evaluation_s, 6)) * self.evaluation_s if self.evaluation_s else self.for_s

    @property
    def key(self) -> tuple[str, str]:
        """By what it is known: its group and its name."""
        return self.group, self.rule

    @property
    def fresh_s(self) -> float:
        """How long an answer of Prometheus holds (s)."""
        return max(LEAST_FRESH_S, MISSED * self.asked_every_s)

    @property
    def allowed_s(self) -> float:
        """How long after users' harm began it may tell (s)."""
        return self.timers_s if self.within_s is None else self.within_s
