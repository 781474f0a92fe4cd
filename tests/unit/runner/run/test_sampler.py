"""Samples of health and queue: what answers is recorded, silence is noticed once, nothing is made up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import NoData
from history.reader import read_table
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.sampler import Sampler, Sources
from testing.platform.fake_cluster import FakeCluster, pod
from testing.runs.phases import seen


def sampler(log: RunLog, *, status: int = 200, up: bool = True, depth: Any = None, prometheus: Any = None) -> Sampler:
    cluster = FakeCluster()
    platform = cluster.platform()
    proxied: Any = SimpleNamespace(target=platform.target, proxy_get=lambda *_, **__: status)
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed(platform.pods("inference"))
    sources = Sources(proxied, "inference", {"inference": watcher}, lambda: up, depth, prometheus)
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
    sampler(log, status=status, up=up)._health(pod("inference-a"), 8000, "/health")
    assert samples(tmp_path, "health") == said


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
