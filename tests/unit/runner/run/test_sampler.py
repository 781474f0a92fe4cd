"""Samples of health and queue: what answers is recorded, silence is noticed once, nothing is made up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from history.errors import NoData
from history.reader import read_table
from kube.health.questions import HttpQuestion
from kube.health.serving import Asking
from kube.health.ways import Way
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.sampler import Sampler, Sources
from testing.platform.fake_cluster import FakeCluster, pod
from testing.runs.phases import seen

HEALTH = (Asking(HttpQuestion(8000, "/health", 201), Way.PROXY),)


def timed_out() -> Any:
    raise urllib3.exceptions.ReadTimeoutError(None, "/", "")  # type: ignore[arg-type]  # no pool is needed


def sampler(log: RunLog, *, status: int = 200, up: bool = True, depth: Any = None, prometheus: Any = None) -> Sampler:
    cluster = FakeCluster()
    platform = cluster.platform()
    cluster.call_api = lambda *_, **__: SimpleNamespace(status=status, read=lambda: b"") if status else timed_out()  # type: ignore[assignment]
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed(platform.pods("inference"))
    sources = Sources(platform, "inference", {"inference": watcher}, lambda: up, depth, prometheus)
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


def test_the_queue_is_sampled_while_prometheus_answers_and_its_silence_is_noticed_once(tmp_path: Path, log: RunLog) -> None:
    def script(*values: float | None) -> Callable[[], float]:
        left = list(values)

        def answer() -> float:
            value = left.pop(0)
            if value is None:
                raise NoData("no answer")
            return value

        return answer

    prometheus, depth = script(1.0, 1.0, None, None, 1.0), script(4.0, None, 2.0)
    made = sampler(log, depth=depth, prometheus=prometheus)
    for _ in range(5):
        made._queue()
    assert samples(tmp_path, "queue_depth") == [4.0, 2.0]
    assert [kind for kind, name, _ in seen(tmp_path) if name == "prometheus"] == ["instrument.down", "instrument.up"]
