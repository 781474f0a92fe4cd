"""What judged rules say is recorded whenever Prometheus is asked; where it does not answer, nothing is made up."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from history.alert_plan import AlertPlan
from history.close import close_run
from history.plan import write_plan
from history.reader import read_table
from runner.event_log import RunLog
from runner.run.observer.alert_watch import MOST_APART, AlertWatch, judged_in
from testing.histories.truth import World
from testing.histories.truth_plan import plan_of
from testing.platform.alert_rules import alert, alerting, group
from testing.platform.prometheus_server import prometheus_server, region_of
from testing.runs.phases import seen
from testing.waiting import wait_for

PLAN = AlertPlan(
    rule="Down", group="a", roles=("inference",), workload="realtime-inference", query="up == 0", scrape_s=1, evaluation_s=5, for_s=10
)


def rows(folder: Path) -> list[tuple[Any, ...]]:
    return list(read_table(folder, "alerts").select("group", "rule", "state", "active_ns", "labels", "alerts").iter_rows())


def test_each_answer_is_a_row_of_each_alert_of_a_judged_rule(tmp_path: Path, log: RunLog) -> None:
    with prometheus_server() as server:
        watch = AlertWatch(region_of(server), [PLAN], log, threading.Event())
        for rule in (
            alerting("Down"),
            alerting("Down", alert("pending")),
            alerting("Down", alert("pending"), alert("firing", pod="b")),
            alerting("Down", health="err", lastError="no"),
            alerting("Down", alert("pending"), health="err", lastError="no"),
        ):
            server.rules = [group("a", rule, alerting("Other", alert("firing"))), group("b", alerting("Down", alert("firing")))]
            watch.ask()
    found = rows(tmp_path)
    assert {(of, name) for of, name, *_ in found} == {("a", "Down")}
    said = [("inactive", 0), ("pending", 1), ("pending", 2), ("firing", 2), ("failed", 0), ("pending", 1), ("failed", 1)]
    assert [(state, alerts) for _, _, state, _, _, alerts in found] == said
    assert found[3][3] > 0
    assert '"pod":"b"' in found[3][4]
    assert (found[0][3], found[0][4]) == (None, "{}")


def test_of_too_many_alerts_the_one_that_has_fired_longest_speaks_for_all(tmp_path: Path, log: RunLog) -> None:
    waiting = [alert("pending", pod=f"inference-{number}") for number in range(MOST_APART)]
    with prometheus_server() as server:
        watch = AlertWatch(region_of(server), [PLAN], log, threading.Event())
        for alerts in (waiting, [*waiting, alert("firing", pod="last")]):
            server.rules = [group("a", alerting("Down", *alerts))]
            watch.ask()
    found = rows(tmp_path)
    assert len(found) == MOST_APART + 1
    assert ('"pod":"last"' in found[-1][4], found[-1][2], found[-1][5]) == (True, "firing", None)


def test_only_judged_rules_are_asked_for(log: RunLog) -> None:
    with prometheus_server() as server:
        AlertWatch(region_of(server), [PLAN], log, threading.Event()).ask()
        assert server.asked == [{"rule_group[]": ["a"], "rule_name[]": ["Down"]}]


def test_rules_of_a_class_that_the_run_does_not_drive_are_not_asked_for() -> None:
    other = PLAN.model_copy(update={"workload": "batch-training"})
    assert judged_in(plan_of(World()).model_copy(update={"alerts": (PLAN, other)})) == (PLAN,)


def test_silence_writes_no_row_and_is_no_silence_of_an_instrument(tmp_path: Path, log: RunLog) -> None:
    with prometheus_server() as server:
        watch = AlertWatch(region_of(server), [PLAN.model_copy(update={"asked_every_s": 0.05})], log, threading.Event())
        server.rules = None
        for _ in range(4):
            watch.ask()
        server.rules = [group("a", alerting("Down"))]
        watch.ask()
    assert not seen(tmp_path)
    assert [row[2] for row in rows(tmp_path)] == ["inactive"]


def test_the_thread_asks_until_it_is_halted(tmp_path: Path, log: RunLog) -> None:
    halt = threading.Event()
    with prometheus_server() as server:
        server.rules = [group("a", alerting("Down"))]
        watch = AlertWatch(region_of(server), [PLAN.model_copy(update={"asked_every_s": 0.05})], log, halt)
        watch.start()
        wait_for(lambda: len(rows(tmp_path)) > 2, "three rows")
        halt.set()
        watch.join(5)
        assert not watch.is_alive()


def test_a_run_that_is_closed_has_its_alerts_in_parquet(tmp_path: Path, log: RunLog) -> None:
    write_plan(plan_of(World()), tmp_path)
    with prometheus_server() as server:
        server.rules = [group("a", alerting("Down", alert("firing")))]
        AlertWatch(region_of(server), [PLAN], log, threading.Event()).ask()
    log.close()
    close_run(tmp_path)
    assert not list(tmp_path.glob("alerts.*.jsonl"))
    assert [row[2] for row in rows(tmp_path)] == ["firing"]
