"""Alerting rules of the platform's real Prometheus: recorded and judged in a run; what is not there refuses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from history.alert_plan import AlertPlan
from history.reader import read_table
from history.result import AlertJudged, AlertOutcome, Verdict
from history.schema import Notice
from runner.event_log import RunLog
from runner.exits import REFUSED
from runner.run.observer.alert_receiver import receiver_in
from target.target import load_target
from testing.runs.patient import patient
from testing.runs.real_sessions import LOCAL, Session, Suite
from testing.waiting import wait_for

RULES: list[dict[str, Any]] = [
    {"rule": "InferenceUnavailable", "roles": "inference"},
    {"rule": "GatewayErrors", "roles": ["inference", "gateway"]},
]


def judged(session: Session) -> dict[str, AlertJudged]:
    """Return what became of each rule, of which something was recorded."""
    recorded = read_table(session.run_dir, "alerts")
    assert set(recorded["rule"]) == {rule["rule"] for rule in RULES}
    assert recorded.height > 2 * len(RULES)
    return {one.rule: one for one in session.verdict.alerts}


def test_no_rule_fires_in_a_control_run(suite: Suite) -> None:
    patient(suite, "control/null-control", hold="10s")
    session = suite.start("--chaos-profile=brief", own=True, target=suite.target(alerts=RULES))
    session.end()
    assert {one.outcome for one in judged(session).values()} == {AlertOutcome.SILENT}, session.said
    (check,) = [check for check in session.verdict.checks if check.name == "alerts"]
    assert check.verdict is Verdict.PASS


def test_a_fault_that_others_bear_is_too_short_for_a_rule_about_all_replicas(suite: Suite) -> None:
    patient(suite, "serving/replica-killed", hold="10s")
    session = suite.start("--chaos-profile=brief", own=True, target=suite.target(alerts=RULES[:1]))
    session.end()
    (found,) = session.verdict.alerts
    assert found.outcome is AlertOutcome.TOO_SHORT, session.said
    assert "scrape 1 s + scrape time-out 1 s + evaluation 5 s + for 10 s = 17 s" in found.sentence
    assert "alerts" not in [check.name for check in session.verdict.checks]


def test_the_platforms_alertmanager_reaches_the_suite(tmp_path: Path) -> None:
    """What pages is heard on this machine's address in the nodes' network; the alert is made here and over after some seconds."""
    region = load_target(LOCAL).only_region()
    if region.alerts is None or region.alerts.receiver is None:
        pytest.skip("the target file names no receiver")
    rule, log = region.alerts.rules[0], RunLog(tmp_path)
    plan = AlertPlan(rule=rule.rule, group="", roles=rule.roles, workload="", query="", scrape_s=1, evaluation_s=5, for_s=5)
    receiver = receiver_in(region, [plan], log)
    assert receiver is not None
    receiver.start()
    try:
        ends = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
        alert = {"labels": {"alertname": rule.rule, "severity": "page", "made_by": "a test"}, "endsAt": ends}
        requests.post(f"{region.alerts.receiver.alertmanager}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()
        wait_for(lambda: Notice.FIRING.value in read_table(tmp_path, "notifications")["kind"].to_list(), "Alertmanager tells", 20)
        wait_for(lambda: Notice.RESOLVED.value in read_table(tmp_path, "notifications")["kind"].to_list(), "and that it is over", 40)
    finally:
        receiver.stop()
        log.close()


def test_a_rule_that_prometheus_has_not_refuses_the_run(suite: Suite) -> None:
    patient(suite, "control/null-control")
    target = suite.target(alerts=[{"rule": "NoSuchRule", "roles": "inference"}])
    session = suite.start("--chaos-profile=brief", own=True, target=target)
    assert session.end() == REFUSED, session.said
    assert "rule NoSuchRule is not there; its alerting rules are GatewayErrors, InferenceUnavailable" in session.said
