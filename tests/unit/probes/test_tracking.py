"""What the tracking server lacks, and that its silence is its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from history.clock import now_ns
from history.errors import NoData
from history.ledgers import LedgerWriter
from history.workloads import Training
from kube.selection import pod_target
from probes import tracking
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.fake_run import live_run

JOB = Training(
    template="t", namespace="ml-training", job="j", ranks=2, pods=2, steps=99, batch=4, max_restarts=3, interval_steps=5,
    ledger="l:1", reference="r",
)  # fmt: skip


def said(run_dir: Path, step: int, rank: int, ago_s: float, **more: object) -> None:
    row = {"kind": "step", **more, "step": step, "rank": rank, "attempt": 1, "t_ns": now_ns() - int(ago_s * 1e9), "host": "h", "pid": 1}
    LedgerWriter(run_dir, "training", f"test-{step}-{rank}").write(json.dumps(row).encode() + b"\n")


@pytest.fixture
def cluster(tmp_path: Path) -> FakeCluster:
    made = FakeCluster()
    made.pods["ml-training", "tracking-0"] = pod("tracking-0", "cpu-b", namespace="ml-training", app="tracking")
    live_run(made, tmp_path, {"act": [pod_target(made.pods["ml-training", "tracking-0"], "stopped", "later")]}, training=JOB)
    return made


@pytest.mark.usefixtures("cluster")
def test_steps_that_are_due_and_not_there_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []
    held = b'{"metrics": [{"key": "loss", "value": 1.0, "step": 10, "timestamp": 1}]}'
    monkeypatch.setattr("probes.tracking.proxy.get", lambda *_, **query: asked.append(query) or held)
    with pytest.raises(NoData, match="no step that is logged"):
        tracking.missing_metrics("tracking:8200", "loss", 10)
    for step, rank, ago_s in ((10, 0, 60), (15, 0, 58), (20, 0, 50), (30, 1, 45), (40, 0, 2)):
        said(tmp_path, step, rank, ago_s)
    assert tracking.missing_metrics("tracking:8200", "loss", 10, 10) == 2  # nobody said by which id the server knows the job
    assert not asked
    said(tmp_path, 20, 0, 49, kind="tracked", run_id="f00d")
    assert tracking.missing_metrics("tracking:8200", "loss", 10, 10) == 1  # step 20: 15 is not logged, 30 is rank 1's, 40 is too young
    assert asked == [{"run_id": "f00d", "metric_key": "loss"}]


@pytest.mark.usefixtures("cluster")
def test_a_run_that_the_server_never_heard_of_lacks_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.tracking.proxy.get", lambda *_, **__: b"{}")  # so MLflow answers
    said(tmp_path, 10, 0, 60)
    said(tmp_path, 10, 0, 59, kind="tracked", run_id="gone")
    assert tracking.missing_metrics("tracking:8200", "loss", 10) == 1


def test_silence_is_the_server_s_only_if_kubernetes_answers(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> bytes:
        raise NoData("no answer")

    monkeypatch.setattr("probes.tracking.proxy.get", lambda *_: b"OK")
    assert not tracking.silent("act", "tracking:8200")
    monkeypatch.setattr("probes.tracking.proxy.get", silent)
    assert tracking.silent("act", "tracking:8200")
    del cluster.pods["ml-training", "tracking-0"]
    assert not tracking.silent("act", "tracking:8200")  # gone, not silent
