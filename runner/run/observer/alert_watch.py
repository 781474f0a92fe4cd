"""What the judged rules of Prometheus say while a run goes on: a row a rule whenever Prometheus is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from history.alert_plan import AlertPlan
from history.clock import now_ns
from history.errors import NoData
from history.plan import Plan
from history.schema import AlertState
from probes.prometheus.rules import Alert, Rule, rules_of
from runner.event_log import RunLog
from target.region import Region


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
                state, alert = state_of(rule)
                labels = alert.labels if alert else {}
                self._log.alert(rule.key, state, asked_ns, alert.active_ns if alert else None, labels)


def judged_in(plan: Plan) -> tuple[AlertPlan, ...]:
    """Return the rules whose class of workload the run drives: the others are not judged, so nobody asks for them."""
    driven = {workload.name for workload in plan.workloads}
    return tuple(rule for rule in plan.alerts if rule.workload in driven)


def state_of(rule: Rule) -> tuple[AlertState, Alert | None]:
    """Return what a rule says: firing if any of its alerts fires; and the alert that has been active longest of those that say so."""
    for state in (AlertState.FIRING, AlertState.PENDING):
        found = [alert for alert in rule.alerts if alert.state == state.value]
        if found:
            return state, min(found, key=lambda alert: alert.active_ns or 0)
    return (AlertState.FAILED if rule.failed else AlertState.INACTIVE), None
