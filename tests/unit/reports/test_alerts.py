"""What became of alerting rules, on a trial's page: a row and a sentence a rule, a lane of when it waited and fired, and ttd."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from history.alert_plan import AlertPlan
from history.plan import write_plan
from history.reader import read_run
from history.result import AlertOutcome, write_verdict
from history.schema import ALERTS, NOTIFICATIONS
from reports.build import build
from reports.model import Trial
from reports.page.html import html
from reports.page.views import alert_rows, recovery_rows
from reports.trial import read_judged, trial_of
from testing.histories.sample_plan import ns
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ZONE_LOST
from testing.pages.html import parse
from verdict import judge

FIRES, SILENT = (
    AlertPlan(
        rule=name, group="serving", roles=("inference",), workload="realtime-inference", query="q", scrape_s=1, evaluation_s=1, for_s=1
    )
    for name in ("Fires", "Silent")
)


def with_alerts(folder: Path) -> Path:
    """Return a run in which one rule waited from 1 s after the fault on and fired from 2 s to 9 s, and another said nothing."""
    path = write_run(folder, ZONE_LOST)
    run = read_run(path)
    times = [-10.0 + second for second in range(200)]
    said = [(t_s, "pending" if 1 <= t_s < 2 else "firing" if 2 <= t_s < 9 else "inactive") for t_s in times]
    rows = [
        {"t_ns": ns(t_s), "group": "serving", "rule": rule.rule, "state": state if rule is FIRES else "inactive", "labels": "{}"}
        for t_s, state in said
        for rule in (FIRES, SILENT)
    ]
    write_plan(run.plan.model_copy(update={"alerts": (FIRES, SILENT)}), path)
    pl.DataFrame(rows, schema=ALERTS).write_parquet(path / "alerts.parquet")
    write_verdict(judge(read_run(path)), path)
    return path


def shown(folder: Path) -> Trial:
    return trial_of(read_judged(with_alerts(folder)))


def test_each_rule_has_a_row_and_a_lane(tmp_path: Path) -> None:
    trial = shown(tmp_path)
    assert [one.outcome for one in trial.alerts] == [AlertOutcome.RIGHT, AlertOutcome.MISSING]
    fires, silent = alert_rows(trial)
    assert (fires.rule, fires.roles, fires.outcome, fires.fired, fires.allowed) == ("Fires", "inference", "right", "2 s", "3 s")
    assert (silent.outcome, silent.fired, silent.told) == ("missing", "–", "not asked")
    assert trial.timeline is not None
    lanes = {lane.name: lane for lane in trial.timeline.lanes if lane.group == "alert"}
    assert [(bar.state, bar.from_s, bar.to_s) for bar in lanes["alert Fires"].bars] == [("pending", 1, 2), ("firing", 2, 9)]
    assert lanes["alert Silent"].bars == ()
    (ttd,) = [row for row in recovery_rows(trial) if row.label.startswith("TTD")]
    assert (ttd.measured, ttd.note) == ("2 s", "Fires fired")


def test_where_notifications_are_awaited_ttd_ends_with_them_and_firing_stands_beside(tmp_path: Path) -> None:
    path = with_alerts(tmp_path)
    run = read_run(path)
    rules = tuple(rule.model_copy(update={"group_wait_s": 4.0}) for rule in run.plan.alerts)
    write_plan(run.plan.model_copy(update={"alerts": rules}), path)
    rows = [{"t_ns": ns(-20), "kind": "listening", "rule": ""}, {"t_ns": ns(6), "kind": "firing", "rule": "Fires", "starts_ns": ns(2)}]
    pl.DataFrame([{"detail": "{}"} | row for row in rows], schema=NOTIFICATIONS).write_parquet(path / "notifications.parquet")
    write_verdict(judge(read_run(path)), path)
    trial = trial_of(read_judged(path))
    fires, silent = alert_rows(trial)
    assert (fires.outcome, fires.fired, fires.told, fires.allowed, silent.told) == ("right", "2 s", "6 s", "7 s", "–")
    (ttd,) = [row for row in recovery_rows(trial) if row.label.startswith("TTD")]
    assert (ttd.measured, ttd.note) == ("6 s", "Fires: its notification; it fired after 2 s")
    assert "Notified</th>" in html(build([path]))


def test_the_page_says_it(tmp_path: Path) -> None:
    page = html(build([with_alerts(tmp_path)]))
    parse(page)
    assert "Alert Silent, missing: users were harmed for" in page
    assert "the alert fires" in page


def test_a_run_without_rules_shows_none(tmp_path: Path) -> None:
    trial = trial_of(read_judged(write_run(tmp_path, ZONE_LOST)))
    assert alert_rows(trial) == []
    assert not [row for row in recovery_rows(trial) if row.label.startswith("TTD")]
    assert trial.timeline is not None
    assert "alert" not in {lane.group for lane in trial.timeline.lanes}
