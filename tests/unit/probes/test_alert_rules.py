"""Rules and alerts of Prometheus: read as its API answers, and found to be as the target file declares, or said why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from history.errors import NoData
from probes.prometheus.alert_rules import NotAsDeclared, alert_plans
from probes.prometheus.answer import Unanswered
from probes.prometheus.look_back import look_back_s
from probes.prometheus.rules import Scrapes, rules_of, scraped_by, scrapes_of
from target.target import Target
from testing.platform.alert_rules import alert, alerting, group, recording
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import PrometheusServer, prometheus_server, region_of

DOWN = {"rule": "InferenceUnavailable", "roles": "inference"}


@pytest.fixture
def server() -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        made.rules = [group("serving", alerting("InferenceUnavailable"), recording("job:up"))]
        yield made


def target_of(server: PrometheusServer, *rules: dict[str, Any], **prometheus: Any) -> Target:
    """Return the local target whose Prometheus this is, with these rules."""
    return local_target(prometheus={"url": server.url} | prometheus, alerts=list(rules))


def wrong(server: PrometheusServer, *rules: dict[str, Any]) -> str:
    """Return why the rules can't be judged."""
    with pytest.raises(NotAsDeclared) as refused:
        alert_plans(target_of(server, *rules), "default")
    assert len(refused.value.parts) == len(rules)
    return str(refused.value).removeprefix(f"Prometheus at {server.url}: ")


def test_a_rule_is_found_with_its_timers(server: PrometheusServer) -> None:
    query = "sum(rate(haproxy_errors_total[1m])) / sum(rate(haproxy_total[90s])) > 0.05"
    server.rules = [group("serving", alerting("InferenceUnavailable", query=query), interval=15)]
    server.targets = [{"labels": {"namespace": "ml-serving"}, "scrapeInterval": "1m30s"}, {"labels": {}, "scrapeInterval": "5m"}]
    (plan,) = alert_plans(target_of(server, DOWN), "default")
    assert (plan.group, plan.roles, plan.workload, plan.region) == ("serving", ("inference",), "realtime-inference", "default")
    assert (plan.scrape_s, plan.evaluation_s, plan.for_s, plan.range_s, plan.asked_every_s) == (90, 15, 10, 90, 3)
    assert plan.allowed_s == plan.timers_s == 90 + 90 + 15 + 15 + 90  # for: 10 s are over at the next evaluation


def test_a_rule_without_for_fires_at_once(server: PrometheusServer) -> None:
    server.rules = [group("serving", alerting("InferenceUnavailable", duration=0))]
    (plan,) = alert_plans(target_of(server, DOWN), "default")
    assert (plan.for_s, plan.timers_s) == (0, 7)


def test_where_no_target_is_of_the_role_all_count_and_what_is_written_goes_before(server: PrometheusServer) -> None:
    server.targets = [{"labels": {"job": "a"}, "scrapeInterval": "15s"}, {"labels": {"job": "b"}, "scrapeInterval": "30s"}]
    assert scrapes_of(scraped_by(region_of(server)), {"namespace": "ml-serving"}) == Scrapes(30, 30)
    server.targets = [{"labels": {}, "scrapeInterval": "30s", "scrapeTimeout": "10s"}, {"labels": {}, "scrapeInterval": "5s"}]
    assert scrapes_of(scraped_by(region_of(server)), {}) == Scrapes(30, 10)
    server.targets = [{"labels": {"job": "a"}}]
    with pytest.raises(NoData, match="says of no target how often it is scraped; write scrape in the region's alerts"):
        scrapes_of(scraped_by(region_of(server)), {})
    target = local_target(prometheus={"url": server.url}, alerts={"scrape": "15s", "rules": [DOWN]})
    assert alert_plans(target, "default")[0].scrape_s == 15


def test_alerts_of_another_cluster_are_not_ours(server: PrometheusServer) -> None:
    server.rules = [group("serving", alerting("InferenceUnavailable", alert("firing", cluster="us"), alert("pending", cluster="eu")))]
    region = target_of(server, DOWN, labels={"cluster": "eu"}).only_region()
    (rule,) = rules_of(region)
    assert [one.state for one in rule.alerts] == ["pending"]
    assert rule.alerts[0].active_ns == pytest.approx(1_796_111_664_528_064_848, abs=1_000_000)


def test_what_is_not_as_declared_is_said_of_each_rule(server: PrometheusServer) -> None:
    server.rules = [
        group("serving", alerting("InferenceUnavailable"), recording("job:up"), alerting("Broken", health="err", lastError="many-to-many")),
        group("copy", alerting("InferenceUnavailable")),
        group("twice", alerting("Same"), alerting("Same")),
    ]
    assert wrong(server, DOWN) == "rule InferenceUnavailable is in groups copy, serving; write group in alerts"
    (plan,) = alert_plans(target_of(server, DOWN | {"group": "copy"}), "default")
    assert plan.group == "copy"
    assert "rule Nothing is not there; its alerting rules are Broken, InferenceUnavailable, Same; load it" in wrong(
        server, {"rule": "Nothing", "roles": "inference"}
    )
    assert "rule job:up records and never fires" in wrong(server, {"rule": "job:up", "roles": "inference"})
    assert "rule Broken could not be evaluated (many-to-many)" in wrong(server, {"rule": "Broken", "roles": "inference"})
    assert "rule Same is 2 times in group twice; give the rules names of their own" in wrong(server, {"rule": "Same", "roles": "inference"})
    assert "rule InferenceUnavailable of group nowhere is not there" in wrong(server, DOWN | {"group": "nowhere"})
    both = wrong(server, DOWN, {"rule": "job:up", "roles": "inference"})
    assert "write group" in both
    assert "never fires" in both


def test_a_time_that_a_rule_can_never_keep_is_refused(server: PrometheusServer) -> None:
    said = wrong(server, DOWN | {"within": "5s"})
    assert said == (
        "rule InferenceUnavailable can't tell within 5 s: its own timers take up to 16 s; write a longer within, or make them shorter"
    )
    (plan,) = alert_plans(target_of(server, DOWN | {"within": "30s"}), "default")
    assert plan.allowed_s == 30


def test_no_rules_at_all_and_no_alerts_in_the_target_file(server: PrometheusServer) -> None:
    server.rules = []
    assert "its alerting rules are none" in wrong(server, DOWN)
    assert alert_plans(local_target(prometheus={"url": server.url}, alerts=None), "default") == ()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, "forbidden", "asked for its rules, answers HTTP 403: forbidden: it does not let the suite in"),
        (200, "<html>log in</html>", "asked for its rules, answers HTTP 200: a page: not as Prometheus does"),
        (200, {"status": "success", "data": {"groups": [{"rules": []}]}}, "not as Prometheus does"),
        (500, {"status": "error", "errorType": "internal", "error": "ruler is down"}, "answers HTTP 500: ruler is down; see its own logs"),
    ],
)
def test_who_serves_no_rules_is_named(server: PrometheusServer, status: int, body: Any, said: str) -> None:
    server.say(body, status)
    with pytest.raises(Unanswered) as heard:
        rules_of(region_of(server))
    assert said in str(heard.value)


def test_a_store_without_a_ruler_is_told_from_a_wrong_url(server: PrometheusServer) -> None:
    server.rules = None
    with pytest.raises(Unanswered, match="answers HTTP 404 to /api/v1/rules: it serves no rules: Thanos, Mimir and VictoriaMetrics have"):
        alert_plans(target_of(server, DOWN), "default")


@pytest.mark.parametrize(
    ("query", "range_s"),
    [
        ("up == 0", 0),
        ("rate(a[5m]) > rate(b[1h30m])", 5400),
        ("max_over_time(rate(a[1m])[30m:15s])", 1860),
        ("max_over_time((rate(a[1m]) + rate(b[2m]))[30m:]) + rate(c[31m])", 1920),
        ("max_over_time(sum(rate(a[1m])) by (job)[10m:1m])", 660),
        ("rate(a[1m] offset 5m)", 360),
        ('rate(a{path="/[9h]"}[1m])  # [8h]', 60),
        ("increase(a[2d])", 172_800),
        ("rate(a[ 300 ])", 300),
        ("a[500ms]", 0.5),
    ],
)
def test_how_far_an_expression_looks_back(query: str, range_s: float) -> None:
    assert look_back_s(query) == range_s


def test_a_rule_over_recording_rules_takes_as_long_as_they_do(server: PrometheusServer) -> None:
    server.rules = [
        group("serving", alerting("InferenceUnavailable", query="max_over_time(job:errors[1m]) > 0.1")),
        group("recorded", recording("job:errors") | {"query": 'sum({__name__="job:rate"}) + job:errors'}, interval=30),
        group("first", recording("job:rate") | {"query": "rate(a[5m])"}, interval=60),
    ]
    (plan,) = alert_plans(target_of(server, DOWN), "default")
    assert plan.range_s == 60 + 30 + 60 + 300
