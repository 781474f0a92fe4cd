"""Samples of health and queue: what answers is recorded, silence is noticed once, nothing is made up."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.reader import read_table
from history.schema import Series
from kube.health.questions import HttpQuestion
from kube.health.serving import Asking
from kube.health.ways import Way
from probes.prometheus.gauge import Gauge, find
from runner import instrument
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.sampler import Sampler, Sources
from testing.platform.fake_cluster import FakeCluster, local_target, pod
from testing.platform.in_memory.asked_by_path import APPS
from testing.platform.prometheus_server import prometheus_server, region_of, waiting
from testing.runs.phases import seen

HEALTH = (Asking(HttpQuestion(8000, "/health", 201), Way.PROXY),)


def timed_out() -> Any:
    raise urllib3.exceptions.ReadTimeoutError(None, "/", "")  # type: ignore[arg-type]  # no pool is needed


def sampler(log: RunLog, *, status: int = 200, up: bool = True, queue: Gauge | None = None) -> Sampler:
    cluster = FakeCluster()
    platform = cluster.platform()
    cluster.call_api = lambda *_, **__: SimpleNamespace(status=status, read=lambda: b"") if status else timed_out()  # type: ignore[assignment]
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed(platform.pods("inference"))
    sources = Sources(platform, "inference", {"inference": watcher}, lambda: up, queue)
    return Sampler(sources, log, Observations(), threading.Event())


def samples(tmp_path: Path, series: str) -> list[float]:
    table = read_table(tmp_path, "samples")
    return [value for name, value in table.select("series", "value").iter_rows() if name == series]


@pytest.mark.parametrize(
    ("status", "up", "said"), [(200, True, [1.0]), (503, True, [0.0]), (0, True, [0.0]), (0, False, []), (503, False, [0.0])]
)
def test_health_is_what_the_replica_answers_and_nothing_while_the_api_server_is_away(
    tmp_path: Path, log: RunLog, status: int, up: bool, said: list[float]
) -> None:
    sampler(log, status=status, up=up)._health("inference", pod("inference-a"), HEALTH)
    assert samples(tmp_path, "health") == said


def test_who_has_a_health_endpoint_is_asked_and_who_has_none_is_ready_while_its_node_is_heard_of(tmp_path: Path, log: RunLog) -> None:
    made = sampler(log)
    asked = {pod.metadata.name: askings for _, pod, askings in made._asked("inference")}
    assert asked == dict.fromkeys(("inference-a", "inference-b", "inference-c"), HEALTH)
    made._heard("gateway", pod("gateway-a", "cpu-a"))
    assert samples(tmp_path, "node_heard") == []  # no lease can be read, so nobody knows
    cluster: Any = made._from.platform.coordination
    for age_s in (5, 13):
        spec = SimpleNamespace(renew_time=datetime.now(UTC) - timedelta(seconds=age_s), lease_duration_seconds=40)
        cluster.leases["cpu-a"] = SimpleNamespace(spec=spec)
        made._heard("gateway", pod("gateway-a", "cpu-a"))
    assert samples(tmp_path, "node_heard") == [1.0, 0.0]
    assert made._observations.ill == {"gateway-a"}


@pytest.mark.parametrize(("later_s", "told"), [(0.0, []), (20.0, []), (60.0, ["instrument.down", "instrument.up"])])
def test_the_queue_is_sampled_once_a_scrape_and_prometheus_silence_is_told_once_no_value_is_fresh(
    tmp_path: Path, log: RunLog, monkeypatch: pytest.MonkeyPatch, later_s: float, told: list[str]
) -> None:
    with prometheus_server(waiting(4, every_s=30)) as server:
        series = server.series[0]
        gauge = find(region_of(server), local_target().roles["inference"], "waiting")
        made = sampler(log, queue=gauge)
        made._queue()
        assert made._observations.queue == 4
        assert samples(tmp_path, "queue_depth") == []  # it was scraped before the run began
        made._queue_ns = round((series.made_s - 60) * 1e9)
        for _ in range(3):
            made._queue()
        assert samples(tmp_path, "queue_depth") == [4.0]
        series.value, series.age_s = 2, series.age_s - 5  # another scrape, five seconds later
        made._queue()
        server.say({"message": "rate limit"})
        made._queue()
        monkeypatch.setattr(instrument, "now_ns", lambda: now_ns() + int(later_s * 1e9))
        made._queue()
        assert made._observations.queue is None
        server.foreign = None
        server.series = []
        made._queue()
    assert samples(tmp_path, "queue_depth") == [4.0, 2.0]
    table = read_table(tmp_path, "samples")
    at_s = [t_ns / 1e9 for name, t_ns in table.select("series", "t_ns").iter_rows() if name == "queue_depth"]
    assert at_s == pytest.approx([series.made_s - series.age_s - 5, series.made_s - series.age_s], abs=0.5)
    assert [kind for kind, name, _ in seen(tmp_path) if name == "prometheus"] == told


def test_how_many_replicas_are_wanted_is_sampled_while_somebody_says_it(tmp_path: Path, log: RunLog) -> None:
    cluster, observations = FakeCluster(), Observations()
    platform, watcher = cluster.platform(), PodWatcher("inference", log, observations)
    subject = Sampler(Sources(platform, "inference", {"inference": watcher}, lambda: True, None), log, observations, threading.Event())
    for replicas in (3, 2):
        cluster.replicas["inference"] = replicas
        subject._wanted("inference")
    cluster.served[f"{APPS}/deployments/inference"] = ApiException(status=500, reason="Internal Server Error")
    subject._wanted("inference")
    assert samples(tmp_path, Series.DESIRED_REPLICAS) == [3.0, 2.0]
    assert observations.desired == {"inference": 2}


@pytest.mark.parametrize(("every_s", "ticks"), [(1.0, 2), (15.0, 6), (30.0, 10), (300.0, 10)])
def test_a_queue_that_is_scraped_seldom_is_asked_for_less_often(log: RunLog, every_s: float, ticks: int) -> None:
    gauge = Gauge(local_target().only_region(), "x{}", every_s)
    assert sampler(log, queue=gauge)._queue_ticks == ticks
