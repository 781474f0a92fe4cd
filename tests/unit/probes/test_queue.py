"""The queue's depth from Prometheus, by the real client, from a server that answers as Prometheus does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from history.errors import NoData
from probes import queue
from probes.prometheus import engine_gauges
from runner.preflight.checks import known_gauges
from safety import active_run
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run


class Prometheus(ThreadingHTTPServer):
    """Answers every instant query with ``result``; keeps the queries."""

    status, result = 200, list[dict[str, Any]]()

    def __init__(self) -> None:
        self.queries: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        self.server.queries += parse_qs(urlparse(self.path).query)["query"]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": self.server.result}}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        run = live_run(FakeCluster(), tmp_path, {})
        run.platforms = {"default": FakeCluster().platform(local_target(prometheus={"url": server.url}))}
        yield server
        server.shutdown()
        thread.join()


def test_depth_is_the_sum_of_fresh_values(prometheus: Prometheus) -> None:
    prometheus.result = [{"metric": {}, "value": [1.0, "7"]}]
    assert queue.depth("vllm:num_requests_waiting", labels='namespace="ml-serving"') == 7.0
    series = 'vllm:num_requests_waiting{namespace="ml-serving"}'
    assert prometheus.queries == [f"sum({series} and (time() - timestamp({series}) <= 5))"]


def test_the_labels_of_the_region_s_prometheus_are_asked_for_besides(prometheus: Prometheus, tmp_path: Path) -> None:
    prometheus.result = [{"metric": {}, "value": [1.0, "7"]}]
    run = live_run(FakeCluster(), tmp_path, {})
    declared = {"url": prometheus.url, "labels": {"cluster": "eu", "team": 'a "b"'}}
    run.platforms = {"default": FakeCluster().platform(local_target(prometheus=declared))}
    assert queue.depth("waiting", 'namespace="x"') == 7.0
    assert 'waiting{namespace="x",cluster="eu",team="a \\"b\\""}' in prometheus.queries[0]
    queue.depth("waiting")
    assert 'waiting{cluster="eu",team="a \\"b\\""}' in prometheus.queries[1]


def test_without_a_name_whatever_gauge_a_known_engine_has_is_asked_for(prometheus: Prometheus) -> None:
    prometheus.result = [{"metric": {}, "value": [1.0, "3"]}]
    assert queue.depth(labels='namespace="ml-serving"') == 3.0
    asked = prometheus.queries[0]
    assert asked.startswith('sum({__name__=~"vllm:num_requests_waiting|')
    assert "|sglang:num_queue_reqs|" in asked
    assert asked.count('",namespace="ml-serving"}') == 2
    prometheus.result = []
    with pytest.raises(NoData, match=r"no gauge of waiting requests of a known engine .* name the engine's own gauge: roles.ROLE.metrics"):
        queue.depth()


def test_the_gauges_of_the_engines_are_found_by_asking_prometheus(prometheus: Prometheus) -> None:
    seen = ["vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"]
    prometheus.result = [{"metric": {"__name__": name}, "value": [1.0, "3"]} for name in seen]
    region = active_run.require().platform.region
    assert engine_gauges(region) == ["vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"]
    assert prometheus.queries[0].startswith('count by (__name__) ({__name__=~"vllm:num_requests_waiting|')
    assert known_gauges(region) == ("vllm:num_requests_waiting", "vllm:kv_cache_usage_perc")
    prometheus.status = 503
    assert known_gauges(region) == ()


@pytest.mark.parametrize("result", [[], [{"metric": {}, "value": [1.0, "NaN"]}]])
def test_nothing_fresh_is_no_data(prometheus: Prometheus, result: list[dict[str, Any]]) -> None:
    prometheus.result = result
    with pytest.raises(NoData, match="has no value of the last 5 s"):
        queue.depth("waiting")


def test_a_prometheus_that_fails_is_no_data(prometheus: Prometheus) -> None:
    prometheus.status = 503
    with pytest.raises(NoData, match="does not answer"):
        queue.depth()
    assert len(prometheus.queries) == 1  # no retries that outlast what they measure


def test_a_prometheus_that_is_away_is_no_data(tmp_path: Path) -> None:
    run = live_run(FakeCluster(), tmp_path, {})
    run.platforms = {"default": FakeCluster().platform(local_target(prometheus={"url": "http://127.0.0.1:9"}))}
    with pytest.raises(NoData, match=r"Prometheus at http://127.0.0.1:9 does not answer"):
        queue.depth()


def test_a_target_without_prometheus_is_no_data(tmp_path: Path) -> None:
    run = live_run(FakeCluster(), tmp_path, {})
    run.platforms = {"default": FakeCluster().platform(local_target(prometheus=None))}
    with pytest.raises(NoData, match="the target file names none"):
        queue.depth()
