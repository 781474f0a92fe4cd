"""How many requests each replica says that it served, read from its own page of metrics."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import NoData
from history.reader import read_table
from kube.proxy import Answer
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer import served as module
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.sampler import Sampler, Sources
from runner.run.observer.served import counts, served
from target.role import Role
from testing.platform.fake_cluster import FakeCluster, pod

PAGE = b"""# HELP vllm:request_success_total Count of successfully processed requests.
# TYPE vllm:request_success_total counter
vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 12.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="a } b"} 3e+01
vllm:request_success_total_created{engine="0"} 1.79e+09
vllm:num_requests_running{engine="0"} 4.0
"""


def test_a_counter_is_summed_over_its_labels_and_no_other_is_taken_for_it() -> None:
    assert counts(PAGE.decode(), "vllm:request_success_total") == [12.0, 30.0]
    assert counts("served 5\nserved_more 7\n", "served") == [5.0]
    assert counts("served NaN\nserved +Inf\n", "served") == []


@pytest.mark.parametrize(("status", "body"), [(404, b""), (200, b"vllm:other 1\n"), (200, b"<html>\xff</html>")])
def test_a_page_without_the_counter_is_no_data(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> None:
    monkeypatch.setattr(module, "ask_pod", lambda *_: Answer(status, body, 0.0))
    platform: Any = None
    with pytest.raises(NoData, match=f"pod inference-a shows no vllm:request_success_total at :8000/metrics .HTTP {status}"):
        served(platform, pod("inference-a"), 8000, "vllm:request_success_total")


@pytest.mark.parametrize("adapter", ["vllm", None])
def test_the_sampler_reads_it_of_every_replica_whose_role_says_which(
    tmp_path: Path, log: RunLog, monkeypatch: pytest.MonkeyPatch, adapter: str | None
) -> None:
    monkeypatch.setattr(module, "ask_pod", lambda *_: Answer(200, PAGE, 0.0))
    platform = FakeCluster().platform()
    watcher = PodWatcher("inference", log, Observations())
    watcher.listed(platform.pods("inference"))
    role = Role(namespace="n", selector="app=x", adapter=adapter, health={"port": 8000, "path": "/health"})
    asked: Any = SimpleNamespace(target=SimpleNamespace(role=lambda _: role))
    sampler = Sampler(Sources(asked, "inference", {"inference": watcher}, lambda: True, None), log, Observations(), threading.Event())
    with ThreadPoolExecutor() as pool:
        sampler._counters(pool)
    rows = read_table(tmp_path, "samples").select("series", "labels", "value").iter_rows()
    found = {json.loads(labels)["pod"]: value for series, labels, value in rows if series == "served"}
    assert found == ({one.metadata.name: 42.0 for one in platform.pods("inference")} if adapter else {})
    assert watcher.pods
