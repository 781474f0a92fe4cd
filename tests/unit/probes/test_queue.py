"""The probe of the queue's depth, as a hypothesis asks it in a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import ConfigError, NoData
from probes import queue
from probes.prometheus.values import engine_gauges
from runner.preflight.checks import known_gauges
from safety import active_run
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run
from testing.platform.prometheus_server import PrometheusServer, Scraped, prometheus_server, waiting

USERS = SimpleNamespace(role="inference")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        during(tmp_path, {"url": made.url})
        yield made


def during(folder: Path, prometheus: dict[str, Any] | None, users: Any = USERS) -> None:
    """Let a run be live whose region has this Prometheus."""
    run = live_run(FakeCluster(), folder, {}, of=lambda _kind: users)
    run.platforms = {"default": FakeCluster().platform(local_target(prometheus=prometheus))}


def test_depth_is_that_of_the_role_whatever_labels_the_probe_gives(server: PrometheusServer) -> None:
    server.series = [waiting(3, "inference-a"), waiting(4, "inference-b"), waiting(5000, namespace="neighbour")]
    assert queue.depth() == 7
    assert queue.depth(labels='namespace="ml-serving"') == 7
    assert queue.depth("vllm:num_requests_waiting", 'pod="inference-a"') == 3
    assert queue.depth(labels='namespace="neighbour"') == 5000
    assert queue.depth(role="gateway") == 7  # of the same namespace
    with pytest.raises(ConfigError, match="role 'nobody' is not there"):
        queue.depth(role="nobody")


def test_a_run_without_requests_asks_for_the_labels_alone(server: PrometheusServer, tmp_path: Path) -> None:
    during(tmp_path, {"url": server.url}, users=None)
    server.series = [waiting(3)]
    assert queue.depth() == 3
    assert all("namespace" not in asked for asked in server.queries)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_data(server: PrometheusServer, value: float) -> None:
    server.series = [waiting(value)]
    with pytest.raises(NoData, match="which is no number of requests"):
        queue.depth()


def test_the_gauges_of_the_engines_are_found_by_asking_prometheus(server: PrometheusServer) -> None:
    names = ("vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
    server.series = [Scraped({"__name__": name}) for name in names]
    region = active_run.require().platform.region
    assert engine_gauges(region) == ["vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"]
    assert server.queries[0].startswith('count by (__name__) ({__name__=~"vllm:num_requests_waiting|')
    assert known_gauges(region) == ("vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    server.say("gone", 503)
    assert known_gauges(region) == ()


def test_a_prometheus_that_fails_is_asked_once_and_is_no_data(server: PrometheusServer) -> None:
    server.say("no", 503)
    with pytest.raises(NoData, match="HTTP 503: no: it, or a gateway before it, is in trouble"):
        queue.depth()
    assert len(server.queries) == 1  # no retries that outlast what they measure


def test_a_target_without_prometheus_is_no_data(tmp_path: Path) -> None:
    during(tmp_path, None)
    with pytest.raises(NoData, match="the target file names none"):
        queue.depth()
