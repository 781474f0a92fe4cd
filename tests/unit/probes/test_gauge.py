"""A gauge of engines in Prometheus: by which name, how often it is scraped, its sum now, and what is said where it is not there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from history.errors import NoData
from probes.prometheus.gauge import Gauge, Reading, find, read
from target.role import Metrics, Role
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import WAITING, PrometheusServer, prometheus_server, region_of, waiting

ROLE = local_target().roles["inference"]
PODS = ("inference-a", "inference-b", "inference-c")


@pytest.fixture
def server() -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        yield made


def found(server: PrometheusServer, metric: str = "", labels: str = "", role: Role | None = ROLE, **declared: Any) -> Gauge:
    return find(region_of(server, **declared), role, "waiting", metric, labels)


def reading(server: PrometheusServer, **asked: Any) -> Reading:
    return read(found(server, **asked))


def named(role: Role = ROLE, **metrics: Any) -> Role:
    return role.model_copy(update={"metrics": Metrics(**metrics)})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_of_requests_is_not_said_to_be_late(server: PrometheusServer, value: float) -> None:
    server.series = [waiting(2, "inference-a"), waiting(value, "inference-b")]
    with pytest.raises(NoData, match=rf'is {value:g} by .*pod="inference-b".*, which is no number of requests; see its server'):
        reading(server)


@pytest.mark.parametrize(("every_s", "fresh_s"), [(1.0, 5.0), (15.0, 22.5), (30.0, 45.0), (60.0, 90.0)])
def test_how_old_a_value_may_be_follows_from_how_often_it_is_scraped(server: PrometheusServer, every_s: float, fresh_s: float) -> None:
    server.series = [waiting(2, pod, every_s=every_s) for pod in PODS]
    for one in server.series:
        one.age_s = 0.9 * every_s
    gauge = found(server)
    assert (round(gauge.every_s, 3), round(gauge.fresh_s, 3)) == (every_s, fresh_s)
    assert gauge.selector == f'{WAITING}{{namespace="ml-serving"}}'
    seen = read(gauge)
    assert (seen.value, seen.pods) == (6, frozenset(PODS))


def test_a_missed_scrape_is_no_other_interval_and_a_slower_replica_counts(server: PrometheusServer) -> None:
    server.series = [waiting(1, "inference-a", every_s=10), waiting(1, "inference-b", every_s=30)]
    assert found(server).every_s == pytest.approx(30)


def test_a_store_that_is_late_is_waited_for_and_a_target_that_is_not_scraped_any_more_is_named(server: PrometheusServer) -> None:
    late = waiting(3, every_s=15)
    late.age_s, late.ended, server.series = 40.0, True, [late]  # for as long as this takes
    gauge = found(server)
    assert gauge.late_s == pytest.approx(25, abs=5)
    assert read(gauge).value == 3
    gone = waiting(3, every_s=15, namespace="gone")
    gone.age_s, gone.ended, server.series = 200.0, True, [gone]
    with pytest.raises(NoData, match=r"was scraped every 15 s, the last time 20\d s ago; see its page of targets"):
        found(server, labels='namespace="gone"')


def test_the_time_of_a_reading_is_its_newest_scrape_by_this_machine_s_clock(server: PrometheusServer) -> None:
    server.ahead_s = 120.0
    server.series = [waiting(1, "inference-a", every_s=30), waiting(1, "inference-b", every_s=30)]
    server.series[0].age_s, server.series[1].age_s = 20.0, 11.0
    gauge = found(server)
    assert gauge.ahead_s == pytest.approx(120, abs=2)
    assert read(gauge).at_s == pytest.approx(server.series[1].made_s - 11, abs=2)
    assert abs(time.time() - read(gauge).at_s) < 60


def test_a_replica_that_is_not_scraped_any_more_does_not_count_for_ever(server: PrometheusServer) -> None:
    server.series = [waiting(2, "inference-a"), waiting(50, "inference-b")]
    gauge = found(server)
    server.series[1].ended, server.series[1].age_s = True, 9.0
    assert read(gauge).value == 2
    server.series[0].ended, server.series[0].age_s = True, 9.0
    with pytest.raises(NoData, match=r"has no value of the last 5 s, and was scraped every 1 s when that was first asked; see"):
        read(gauge)


def test_how_often_it_is_scraped_is_asked_once(server: PrometheusServer) -> None:
    server.series = [waiting(2)]
    for _ in range(3):
        assert reading(server).value == 2
    assert [query for query in server.queries if query.endswith("[60s]")] == [f'{WAITING}{{namespace="ml-serving"}}[60s]']


def test_a_series_that_was_scraped_once_is_waited_for(server: PrometheusServer) -> None:
    server.series = [waiting(2, every_s=30)]
    server.series[0].times = 1
    with pytest.raises(NoData, match="was scraped once in the last 600 s: how often is not known yet; wait for the next time"):
        found(server)
    server.series[0].times = 2
    assert found(server).every_s == pytest.approx(30)


def test_what_is_scraped_twice_counts_once_and_ranks_count_each(server: PrometheusServer) -> None:
    server.series = [waiting(6), waiting(6, job="services", service="vllm", endpoint="http")]
    assert reading(server).value == 6
    server.series += [waiting(4, engine="1"), waiting(4, engine="1", job="services", service="vllm")]
    assert reading(server).value == 10


def test_the_role_s_labels_and_the_region_s_are_always_asked_for(server: PrometheusServer) -> None:
    server.series = [waiting(0, cluster="eu"), waiting(5000, namespace="neighbour", cluster="eu"), waiting(70, cluster="us")]
    eu = {"cluster": "eu"}
    for metric in ("", WAITING):
        gauge = find(region_of(server, labels=eu), ROLE, "waiting", metric)
        assert (gauge.selector, read(gauge).value) == (f'{WAITING}{{namespace="ml-serving",cluster="eu"}}', 0)
    other = find(region_of(server, labels=eu), ROLE, "waiting", "", 'namespace=~"neigh.*"')
    assert (other.selector, read(other).value) == (f'{WAITING}{{namespace=~"neigh.*",cluster="eu"}}', 5000)


def test_a_role_may_say_by_which_labels_its_series_are_known(server: PrometheusServer) -> None:
    server.series = [waiting(3, namespace="", kubernetes_namespace="ml-serving")]
    with pytest.raises(NoData, match=r"it has it with none of these labels; .* roles.ROLE.metrics.labels"):
        found(server)
    assert reading(server, role=named(labels={"kubernetes_namespace": "ml-serving"})).value == 3
    assert found(server, role=named(labels={})).selector == f"{WAITING}{{}}"


@pytest.mark.parametrize(
    "name", ["ray_vllm_num_requests_waiting", "ray_vllm:num_requests_waiting", "sglang:num_queue_reqs", "tgi_queue_size", WAITING]
)
def test_the_name_is_found_by_asking_what_is_there(server: PrometheusServer, name: str) -> None:
    server.series = [waiting(4, __name__=name)]
    assert found(server).selector.startswith(f"{name}{{")
    assert reading(server).value == 4


def test_of_two_engines_the_role_says_which(server: PrometheusServer) -> None:
    server.series = [waiting(1), waiting(2, "other", __name__="tgi_queue_size")]
    with pytest.raises(NoData, match=r"has vllm:num_requests_waiting and tgi_queue_size with .*; say which engine: roles.ROLE.adapter"):
        found(server)
    assert reading(server, role=ROLE.model_copy(update={"adapter": "tgi"})).value == 2
    assert reading(server, metric="tgi_queue_size").value == 2


@pytest.mark.parametrize(
    ("series", "asked", "said"),
    [
        ([], {}, r"has no gauge .waiting. of a known engine; let it scrape the engines .*, or name the engine's own"),
        ([], {"metric": "my_queue"}, r"has no my_queue; let it scrape the engines"),
        ([waiting(1)], {"metric": "my_queue"}, r"has no my_queue; it has vllm:num_requests_waiting: say so by roles.ROLE.adapter or"),
        ([waiting(1)], {"role": ROLE.model_copy(update={"adapter": "sglang"})}, r"it has vllm:num_requests_waiting: say so by"),
        (
            [waiting(1, namespace="x"), waiting(1, namespace="y")],
            {},
            r'not with \{namespace="ml-serving"\}: it has it with namespace="x"; namespace="y"; if that is another',
        ),
        ([waiting(1, namespace="x")], {"metric": WAITING}, r'but not with \{namespace="ml-serving"\}: it has it with namespace="x"'),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_with_what_is(server: PrometheusServer, series: list[Any], asked: dict[str, Any], said: str) -> None:
    server.series = series
    with pytest.raises(NoData, match=said):
        found(server, **asked)


def test_a_prometheus_of_another_cluster_is_said_by_its_labels(server: PrometheusServer) -> None:
    server.series = [waiting(1, cluster="us")]
    with pytest.raises(NoData, match=r'not with \{.*,cluster="eu"\}: it has it with namespace="ml-serving", cluster="us"'):
        find(region_of(server, labels={"cluster": "eu"}), ROLE, "waiting")
