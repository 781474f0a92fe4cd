"""Alerting rules of the platform's real Prometheus: recorded and judged in a run; what is not there refuses it."""

from __future__ import annotations

from typing import Any

from history.reader import read_table
from history.result import AlertJudged, AlertOutcome, Verdict
from runner.exits import REFUSED
from testing.runs.patient import patient
from testing.runs.real_sessions import Session, Suite

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


def test_a_rule_that_prometheus_has_not_refuses_the_run(suite: Suite) -> None:
    patient(suite, "control/null-control")
    target = suite.target(alerts=[{"rule": "NoSuchRule", "roles": "inference"}])
    session = suite.start("--chaos-profile=brief", own=True, target=target)
    assert session.end() == REFUSED, session.said
    assert "rule NoSuchRule is not there; its alerting rules are GatewayErrors, InferenceUnavailable" in session.said
