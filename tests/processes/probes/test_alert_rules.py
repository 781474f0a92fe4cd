"""A real Prometheus: its rules are found as declared, and what they say is recorded as they wait and fire."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from history.alert_plan import AlertPlan
from history.reader import read_table
from probes.prometheus.alert_rules import NotAsDeclared, alert_plans
from probes.prometheus.client import get
from probes.prometheus.rules import rules_of
from runner.event_log import RunLog
from runner.run.observer.alert_watch import AlertWatch
from target.target import Target
from testing.platform.fake_cluster import local_target
from testing.waiting import wait_for
from workloads.storage.server import free_port

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed: make setup names its package")
RULES = {
    "groups": [
        {
            "name": "serving",
            "interval": "1s",
            "rules": [
                {"alert": "Waits", "expr": "vector(1) == 1", "for": "2s", "labels": {"severity": "page"}},
                {"alert": "AtOnce", "expr": "sum(rate(prometheus_http_requests_total[1m30s])) >= 0"},
                {"alert": "Silent", "expr": "vector(1) == 2"},
                {"record": "job:up", "expr": "sum(up)"},
            ],
        },
        {"name": "copy", "rules": [{"alert": "Silent", "expr": "vector(1) == 2"}]},
    ]
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real Prometheus with the rules, which scrapes itself; return its URL."""
    folder = tmp_path_factory.mktemp("prometheus")
    address = f"127.0.0.1:{free_port()}"
    scraped = [{"job_name": "self", "static_configs": [{"targets": [address]}]}]
    intervals = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "3s"}
    (folder / "rules.yml").write_text(yaml.safe_dump(RULES))
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": intervals, "rule_files": ["rules.yml"], "scrape_configs": scraped}))
    options = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "data", "web.listen-address": address}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["prometheus", *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or "ready to receive web requests" in (folder / "log").read_text(), "Prometheus runs")
        assert process.poll() is None, (folder / "log").read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def target_of(url: str, *names: str, **said: str) -> Target:
    """Return the local target whose Prometheus this is, with these rules."""
    rules = [{"rule": name, "roles": "inference"} | said for name in names]
    return local_target(prometheus={"url": url}, alerts=rules)


def plans(url: str, *names: str, **said: str) -> tuple[AlertPlan, ...]:
    """Return what a plan says of these rules, once Prometheus has scraped and evaluated."""
    target = target_of(url, *names, **said)
    region = target.only_region()
    wait_for(lambda: get(region, "targets", state="active").json()["data"]["activeTargets"], "Prometheus knows its target")
    wait_for(lambda: all(rule.health == "ok" for rule in rules_of(region)), "every rule was evaluated")
    return alert_plans(target, "default")


def test_rules_are_found_with_their_timers(url: str) -> None:
    waits, at_once = plans(url, "Waits", "AtOnce")
    assert (waits.scrape_s, waits.evaluation_s, waits.for_s, waits.range_s) == (1, 1, 2, 0)
    assert (at_once.for_s, at_once.range_s) == (0, 90)
    (silent,) = plans(url, "Silent", group="copy")
    assert silent.evaluation_s == 3


def test_what_is_not_as_declared_is_refused(url: str) -> None:
    with pytest.raises(NotAsDeclared) as refused:
        alert_plans(target_of(url, "Silent", "job:up", "Nothing"), "default")
    assert "Silent is in groups copy, serving; write group" in refused.value.parts[0]
    assert "job:up records and never fires" in refused.value.parts[1]
    assert "Nothing is not there; its alerting rules are AtOnce, Silent, Waits" in refused.value.parts[2]


def test_what_rules_say_is_recorded(url: str, tmp_path: Path) -> None:
    judged, log, halt = plans(url, "Waits", "AtOnce"), RunLog(tmp_path), threading.Event()
    watch = AlertWatch(target_of(url, "Waits", "AtOnce").only_region(), judged, log, halt)

    def said(name: str) -> list[str]:
        return [state for rule, state in read_table(tmp_path, "alerts").select("rule", "state").iter_rows() if rule == name]

    watch.start()
    wait_for(lambda: {"firing"} <= set(said("Waits")) and {"firing"} <= set(said("AtOnce")), "both fire")
    halt.set()
    watch.join(5)
    assert set(said("Waits")) <= {"inactive", "pending", "firing"}
    firing = [row for row in read_table(tmp_path, "alerts").iter_rows(named=True) if row["state"] == "firing"]
    assert all('"alertname"' in row["labels"] for row in firing)
    assert all(abs(row["active_ns"] - row["t_ns"]) < 600 * 10**9 for row in firing)  # both of one clock, in nanoseconds
