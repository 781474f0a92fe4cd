"""How long Alertmanager waits before it tells: read from its routes, or said why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from history.errors import NoData
from probes.prometheus.alert_rules import NotAsDeclared, alert_plans
from probes.prometheus.alertmanager import Waits, waits_of
from probes.prometheus.answer import Unanswered
from target.alerts import Receiver
from testing.answering import answering
from testing.platform.alert_rules import alerting, group
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import prometheus_server, vector

CONFIG = """
global: {resolve_timeout: 5m}
route:
  receiver: pager
  group_wait: 10s
  routes:
    - {receiver: chat}
    - matchers: [team="ml"]
      group_wait: 1m30s
      routes:
        - {receiver: aftershock, group_interval: 20s, continue: true}
        - {receiver: aftershock, group_wait: 5s, group_interval: 1m}
receivers: [{name: pager}, {name: chat}, {name: aftershock}]
"""
Said = tuple[int, bytes]


class Alertmanager(ThreadingHTTPServer):
    """Answers each question with what it is told to say."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.said: Said = says(CONFIG)
        self.paths: list[str] = []

    def receiver(self, name: str = "aftershock") -> Receiver:
        return Receiver(listen="127.0.0.1:9094", name=name, alertmanager=f"http://127.0.0.1:{self.server_port}/")


class _Handler(BaseHTTPRequestHandler):
    server: Alertmanager

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        status, body = self.server.said
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def says(config: object, status: int = 200) -> Said:
    return status, json.dumps({"cluster": {"status": "ready"}, "config": {"original": config}, "uptime": "x"}).encode()


@pytest.fixture
def asked() -> Iterator[Alertmanager]:
    server = Alertmanager()
    with answering(server):
        yield server


def test_what_is_written_is_not_asked_for() -> None:
    assert waits_of(Receiver(listen="127.0.0.1:9094", group_wait="15s")) == Waits(15, None)
    assert waits_of(Receiver(listen="127.0.0.1:9094", group_wait="15s", group_interval="2m")) == Waits(15, 120)


def test_the_longest_of_its_routes_counts_and_a_route_has_what_the_one_above_it_has(asked: Alertmanager) -> None:
    assert waits_of(asked.receiver()) == Waits(90, 60)
    assert asked.paths == ["/api/v2/status"]
    assert (waits_of(asked.receiver("chat")), waits_of(asked.receiver("pager"))) == (
        Waits(10, 300),  # Alertmanager's own interval
        Waits(90, 300),  # who is told by a route without a name
    )
    asked.said = says("route: {receiver: aftershock}")
    assert waits_of(asked.receiver()) == Waits(30, 300)  # Alertmanager's own


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (says("route: {receiver: pager}"), "has no route to a receiver aftershock; its routes lead to pager; add one, or write its name"),
        (says("{}"), "its routes lead to none"),
        (says("route: {receiver: aftershock, group_wait: 1y}"), "has a group_wait that is no duration"),
        (says("route: {receiver: aftershock, group_interval: often}"), "has a group_interval that is no duration"),
        (says("route: ["), "answers HTTP 200"),
        (says("just words"), "that is none; correct its URL, or write group_wait in place of alertmanager"),
        (says(None), "that is none"),
        ((200, b"<html>hello</html>"), "a page: that is none"),
        ((401, b"no"), "it lets nobody in without a credential; write group_wait in place of alertmanager"),
        ((404, b"404 page not found"), "its API is not at this path"),
        ((302, b""), "leads elsewhere"),
    ],
)
def test_who_does_not_say_it_is_refused_with_a_next_step(asked: Alertmanager, said: Said, why: str) -> None:
    asked.said = said
    with pytest.raises(Unanswered) as refused:
        waits_of(asked.receiver())
    assert why in str(refused.value)
    assert str(refused.value).startswith(f"Alertmanager at http://127.0.0.1:{asked.server_port}/")


def test_nobody_there() -> None:
    receiver = Receiver(listen="127.0.0.1:9094", alertmanager="http://127.0.0.1:9")
    with pytest.raises(Unanswered, match=r"Alertmanager at http://127\.0\.0\.1:9 does not answer; is it up"):
        waits_of(receiver)


def test_when_a_rule_fired_last_within_the_interval_is_asked_of_prometheus() -> None:
    rule = {"rule": "InferenceUnavailable", "roles": "inference"}
    receiver = {"listen": "127.0.0.1:9094", "group_wait": "20s", "group_interval": "90s"}
    last = 'max(max_over_time(timestamp(ALERTS{alertname="InferenceUnavailable",alertstate="firing",cluster="eu"})[95s:1s]))'
    with prometheus_server() as server:
        server.rules = [group("serving", alerting("InferenceUnavailable"))]
        declared = {"url": server.url, "labels": {"cluster": "eu"}}
        target = local_target(prometheus=declared, alerts={"rules": [rule], "receiver": receiver, "scrape": "1s"})
        (never,) = alert_plans(target, "default")
        assert (never.group_interval_s, never.fired_ns) == (90, None)
        server.answers[last] = vector((1_790_000_000, {}))
        (plan,) = alert_plans(target, "default")
        assert plan.fired_ns == 1_790_000_000_000_000_000
        assert plan.timers_s == never.timers_s


def test_who_does_not_say_when_a_rule_fired_last_leaves_the_rule_unplanned() -> None:
    """That nobody could tell is not that it did not fire."""
    alerts = {"rules": [{"rule": "Down", "roles": "inference"}], "scrape": "1s"}
    alerts |= {"receiver": {"listen": "127.0.0.1:9094", "group_wait": "20s", "group_interval": "90s"}}
    with prometheus_server() as server:
        server.rules = [group("serving", alerting("Down"))]
        server.warnings = ["store eu-1 is gone"]
        with pytest.raises(NoData, match=r"answers max\(max_over_time\(timestamp\(ALERTS.* by a part of its data \(store eu-1 is gone\)"):
            alert_plans(local_target(prometheus={"url": server.url}, alerts=alerts), "default")


def test_it_counts_in_what_a_rule_may_take() -> None:
    rule = {"rule": "InferenceUnavailable", "roles": "inference"}
    receiver = {"listen": "127.0.0.1:9094", "group_wait": "20s"}
    with prometheus_server() as server:
        server.rules = [group("serving", alerting("InferenceUnavailable"))]
        (plain,) = alert_plans(local_target(prometheus={"url": server.url}, alerts=[rule]), "default")
        told = local_target(prometheus={"url": server.url}, alerts={"rules": [rule], "receiver": receiver})
        (plan,) = alert_plans(told, "default")
        assert (plain.group_wait_s, plan.group_wait_s) == (None, 20)
        assert plan.timers_s == plain.timers_s + 20
        hurried = local_target(prometheus={"url": server.url}, alerts={"rules": [rule | {"within": "30s"}], "receiver": receiver})
        with pytest.raises(NotAsDeclared, match="its own timers and Alertmanager's take up to"):
            alert_plans(hurried, "default")
