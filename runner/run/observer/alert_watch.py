"""What the judged rules of Prometheus say while a run goes on: a row for each alert of a rule whenever Prometheus is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from history.alert_plan import AlertPlan
from history.clock import now_ns
from history.errors import NoData
from history.plan import Plan
from history.schema import AlertState
from history.writer import AlertSaid
from probes.prometheus.rules import Alert, Rule, rules_of
from runner.event_log import RunLog
from target.region import Region

MOST_APART = 50  # alerts of one rule that have rows of their own: a rule that flaps on a thousand pods fills no disk


class AlertWatch(threading.Thread):
    """The thread that asks until ``halt`` is set.

    Where Prometheus does not answer, no row is written. The check ``alerts`` says so; nothing else of the run depends on it.
    """

    def __init__(self, region: Region, rules: Sequence[AlertPlan], log: RunLog, halt: threading.Event) -> None:
        super().__init__(name="alerts", daemon=True)
        self._region, self._log, self._halt = region, log, halt
        self._judged = {(rule.group, rule.rule) for rule in rules}
        self._every_s = min(rule.asked_every_s for rule in rules)

    def run(self) -> None:
        """Ask until stopped."""
        next_s = time.monotonic()
        while not self._halt.wait(max(0.0, next_s - time.monotonic())):
            next_s = max(next_s + self._every_s, time.monotonic())
            self.ask()

    def ask(self) -> None:
        """Ask once, and record what each judged rule says."""
        asked_ns = now_ns()
        try:
            known = rules_of(self._region, self._judged)
        except NoData:
            return  # how long it was silent is seen in the rows
        for rule in known:
            if rule.key in self._judged:
                for said in said_by(rule):
                    self._log.alert(rule.key, said, asked_ns)


def judged_in(plan: Plan) -> tuple[AlertPlan, ...]:
    """Return the rules whose class of workload the run drives: the others are not judged, so nobody asks for them."""
    driven = {workload.name for workload in plan.workloads}
    return tuple(rule for rule in plan.alerts if rule.workload in driven)


def said_by(rule: Rule) -> Iterator[AlertSaid]:
    """Yield what a rule says: each of its alerts, and that its evaluation failed or that it has none.

    Of more than :data:`MOST_APART` alerts, one speaks for all: firing if any of them fires, and the one that has been active longest.
    """
    count = len(rule.alerts)
    if count > MOST_APART:
        first = min(rule.alerts, key=lambda alert: (alert.state != AlertState.FIRING.value, alert.active_ns or 0))
        yield _said(first, None)
        return
    yield from (_said(alert, count) for alert in rule.alerts)
    if rule.failed or not count:
        yield AlertSaid(AlertState.FAILED if rule.failed else AlertState.INACTIVE, alerts=count)


def _said(alert: Alert, alerts: int | None) -> AlertSaid:
    return AlertSaid(AlertState(alert.state), alert.active_ns, alert.labels, alerts)
