"""A real Prometheus and a real Alertmanager: what stops is told to the suite's receiver, and ``ttd`` ends with that notification."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
import requests
import yaml

from history.alert_plan import AlertPlan
from history.clock import now_ns
from history.reader import Run, read_table
from history.result import AlertOutcome
from history.schema import Notice
from probes.prometheus.alert_rules import alert_plans
from probes.prometheus.client import get
from probes.prometheus.rules import rules_of
from runner.event_log import RunLog
from runner.run.observer.alert_receiver import receiver_in
from runner.run.observer.alert_watch import AlertWatch
from target.target import Target
from testing.answering import answering
from testing.histories.edits import at, with_plan
from testing.histories.mutations import HIT
from testing.histories.truth import Hit, build
from testing.platform.fake_cluster import ROOT, local_target
from testing.waiting import wait_for
from verdict import judge
from workloads.storage.server import free_port

PROGRAMS = ("prometheus", "prometheus-alertmanager")
pytestmark = pytest.mark.skipif(
    any(shutil.which(program) is None for program in PROGRAMS),
    reason="Prometheus or Alertmanager is not installed: make build names their packages",
)
GROUP_WAIT_S = 3
PATIENT_S = 45.0  # how soon it must tell: a machine that is busy may be late
SHIPPED = ROOT / "workloads/manifests/base/alertmanager.yml"
RULES = [{"alert": "Down", "expr": 'up{job="served"} == 0', "for": "2s", "labels": {"severity": "page"}}]


class Served(ThreadingHTTPServer):
    """A target of Prometheus: it has no metrics, and is up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Empty)


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Told:
    """What runs: the target file that names it, and what stops the target of Prometheus."""

    target: Target
    stop: ExitStack


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


@contextmanager
def running(folder: Path, program: str, options: dict[str, object], ready: str) -> Iterator[None]:
    """Run a program until the block ends, once it answers at ``ready``."""
    with (folder / f"{program}.log").open("w") as log:
        process = subprocess.Popen([program, *(f"--{name}={value}" for name, value in options.items())], stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or answers(ready), f"{program} runs")
        assert process.poll() is None, (folder / f"{program}.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def shipped_says(folder: Path, listen: str) -> Path:
    """Write the reference platform's own configuration, with another address for the suite's receiver."""
    (folder / "alertmanager.yml").write_text(SHIPPED.read_text().replace("10.89.0.254:9094", listen))
    return folder / "alertmanager.yml"


def alertmanager_says(folder: Path, listen: str, *, silent: bool) -> Path:
    """Write Alertmanager's configuration: all alerts go to the suite's receiver, or, ``silent``, to nobody."""
    route = {
        "receiver": "nobody",
        "routes": [{"receiver": "aftershock", "group_wait": f"{GROUP_WAIT_S}s", "matchers": ['severity="page"']}],
    }
    if silent:
        route["routes"].insert(0, {"receiver": "nobody", "matchers": ['alertname="Down"']})  # type: ignore[attr-defined]  # a list
    to_suite = {"name": "aftershock", "webhook_configs": [{"url": f"http://{listen}/"}]}
    config = {"route": route, "receivers": [{"name": "nobody"}, to_suite]}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    return folder / "alertmanager.yml"


def prometheus_says(folder: Path, served: str, alertmanager: str) -> Path:
    scraped = [{"job_name": "served", "static_configs": [{"targets": [served]}]}]
    intervals = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    alerting = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "serving", "rules": RULES}]}))
    config = {"global": intervals, "rule_files": ["rules.yml"], "scrape_configs": scraped, "alerting": alerting}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return folder / "prometheus.yml"


@contextmanager
def platform(folder: Path, *, silent: bool = False, shipped: bool = False) -> Iterator[Told]:
    """Run something that is up, a Prometheus that scrapes it, and an Alertmanager; return the target file that names them."""
    listen, prometheus, alertmanager, served = free_address(), free_address(), free_address(), Served()
    with ExitStack() as stack, ExitStack() as stop:
        stop.enter_context(answering(served))
        routes = shipped_says(folder, listen) if shipped else alertmanager_says(folder, listen, silent=silent)
        told = {"config.file": routes, "storage.path": folder / "alertmanager"}
        told |= {"web.listen-address": alertmanager, "cluster.listen-address": ""}
        stack.enter_context(running(folder, PROGRAMS[1], told, f"http://{alertmanager}/-/ready"))
        config = prometheus_says(folder, f"127.0.0.1:{served.server_port}", alertmanager)
        options = {"config.file": config, "storage.tsdb.path": folder / "data", "web.listen-address": prometheus}
        stack.enter_context(running(folder, PROGRAMS[0], options, f"http://{prometheus}/-/ready"))
        receiver = {"listen": listen, "alertmanager": f"http://{alertmanager}"}
        alerts = {"rules": [{"rule": "Down", "roles": "inference"}], "receiver": receiver}
        yield Told(local_target(prometheus={"url": f"http://{prometheus}"}, alerts=alerts), stop)


def planned(target: Target) -> AlertPlan:
    """Return what a plan says of the rule, once what it is about is up."""
    region = target.only_region()
    wait_for(lambda: [one["health"] for one in get(region, "targets", state="active").json()["data"]["activeTargets"]] == ["up"], "up")
    wait_for(lambda: all(rule.health == "ok" for rule in rules_of(region)), "the rule was evaluated")
    (plan,) = alert_plans(target, "default")
    return plan


def stopped(told: Told, plan: AlertPlan, folder: Path, awaited: Notice | None) -> int:
    """Watch and listen, stop what is up, wait for what is ``awaited`` (for none: until the rule fires); return when it was stopped (ns)."""
    region, log, halt = told.target.only_region(), RunLog(folder), threading.Event()
    receiver, watch = receiver_in(region, [plan], log), AlertWatch(region, [plan], log, halt)
    assert receiver is not None
    receiver.start()
    watch.start()
    wait_for(lambda: "inactive" in read_table(folder, "alerts")["state"].to_list(), "Prometheus says that it is quiet")
    stopped_ns = now_ns()
    told.stop.close()
    wait_for(lambda: "firing" in read_table(folder, "alerts")["state"].to_list(), "the rule fires")
    if awaited is not None:
        wait_for(lambda: awaited.value in read_table(folder, "notifications")["kind"].to_list(), "Alertmanager tells")
    halt.set()
    watch.join(5)
    receiver.stop()
    log.close()
    return stopped_ns


def judged_as(plan: AlertPlan, folder: Path, stopped_ns: int) -> Run:
    """Return a run whose users were harmed for a minute from the fault on, with what was heard here as if it had begun when this did."""
    shift = pl.col("t_ns") + (at(0) - stopped_ns)
    run = build(replace(HIT, hits=(Hit(0.2, 60.0),))).run
    heard = {name: read_table(folder, name).with_columns(shift) for name in ("alerts", "notifications")}
    return with_plan(replace(run, alerts=heard["alerts"], notifications=heard["notifications"]), alerts=(plan,))


def test_what_stops_is_told_and_ttd_ends_with_the_notification(tmp_path: Path) -> None:
    with platform(tmp_path) as told:
        plan = planned(told.target)
        assert (plan.group_wait_s, plan.timers_s) == (GROUP_WAIT_S, 1 + 1 + 1 + 2 + GROUP_WAIT_S)
        stopped_ns = stopped(told, plan, tmp_path, Notice.FIRING)
    notice = read_table(tmp_path, "notifications").filter(pl.col("kind") == Notice.FIRING.value).row(0, named=True)
    assert (notice["rule"], '"job":"served"' in notice["detail"]) == ("Down", True)
    told_s = (notice["t_ns"] - stopped_ns) / 1e9
    verdict = judge(judged_as(plan.model_copy(update={"within_s": PATIENT_S}), tmp_path, stopped_ns))
    (found,) = verdict.alerts
    assert found.firing_s is not None
    assert found.notified_s == pytest.approx(told_s, abs=1e-3)
    assert verdict.value("ttd") == found.notified_s
    assert told_s >= GROUP_WAIT_S
    assert found.firing_s < told_s
    assert (notice["t_ns"] - notice["starts_ns"]) / 1e9 >= GROUP_WAIT_S  # by the clock that both share, it waited
    assert found.outcome is AlertOutcome.RIGHT, found.sentence


def test_the_reference_platforms_alertmanager_tells_what_pages_within_a_second(tmp_path: Path) -> None:
    with platform(tmp_path, shipped=True) as told:
        plan = planned(told.target)
        assert (plan.group_wait_s, plan.group_interval_s, plan.fired_ns) == (1, 5, None)
        stopped_ns = stopped(told, plan, tmp_path, Notice.FIRING)
        (again,) = alert_plans(told.target, "default")
        assert again.fired_ns is not None
        assert stopped_ns < again.fired_ns < now_ns()
    heard = read_table(tmp_path, "notifications")
    assert (heard["kind"].to_list()[0], set(heard["rule"].to_list()[1:])) == (Notice.LISTENING.value, {"Down"})
    assert Notice.UNREAD.value not in heard["kind"].to_list()


def test_what_alertmanager_routes_to_nobody_was_told_to_nobody(tmp_path: Path) -> None:
    with platform(tmp_path, silent=True) as told:
        plan = planned(told.target).model_copy(update={"within_s": PATIENT_S})
        stopped_ns = stopped(told, plan, tmp_path, None)
        alertmanager = told.target.only_region().alerts.receiver.alertmanager  # type: ignore[union-attr]  # all of it is declared
        wait_for(lambda: requests.get(f"{alertmanager}/api/v2/alerts", timeout=60).json(), "Alertmanager was told")
        (alert,) = requests.get(f"{alertmanager}/api/v2/alerts", timeout=60).json()
    assert alert["receivers"] == [{"name": "nobody"}]
    assert read_table(tmp_path, "notifications")["kind"].to_list() == [Notice.LISTENING.value]
    (found,) = judge(judged_as(plan, tmp_path, stopped_ns)).alerts
    assert found.firing_s is not None
    assert (found.outcome, found.notified_s) == (AlertOutcome.UNTOLD, None), found.sentence
