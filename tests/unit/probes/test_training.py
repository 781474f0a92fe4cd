"""What a training job's ledger says while it is written, and evidence from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from history.clock import now_ns
from history.errors import NoData
from history.ledgers import RUNNER, LedgerWriter
from history.plan import ResolvedTarget
from history.workloads import Training
from probes import training
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.fake_run import live_run

JOB = Training(
    template="t", namespace="ml-training", job="j", ranks=2, pods=2, steps=9, batch=4, max_restarts=3, interval_steps=5,
    ledger="l:1", reference="r",
)  # fmt: skip


class Job:
    """A job whose ledger is written by the test."""

    def __init__(self, cluster: FakeCluster, run_dir: Path) -> None:
        self.run: ActiveRun = live_run(cluster, run_dir, {"act": []}, training=JOB)
        self._writer = LedgerWriter(run_dir, "training", "test")

    def says(self, kind: str, step: int, rank: int = 0, attempt: int = 1, ago_s: float = 0.0, **values: Any) -> None:
        row = {"kind": kind, "step": step, "rank": rank, "attempt": attempt, "t_ns": now_ns() - int(ago_s * 1e9), "host": "h", "pid": rank}
        self._writer.write(json.dumps(row | values).encode() + b"\n")


@pytest.fixture
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: a step stays as recent as the test made it."""
    at_ns = now_ns()
    for module in ("probes.training", __name__):
        monkeypatch.setattr(f"{module}.now_ns", lambda: at_ns)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def job(cluster: FakeCluster, tmp_path: Path) -> Job:
    return Job(cluster, tmp_path)


@pytest.mark.usefixtures("_time_stands_still")
def test_steps_count_when_every_rank_did_them(job: Job) -> None:
    with pytest.raises(NoData, match="no step yet"):
        training.steps_per_s(5)
    for step in range(1, 11):
        for rank in range(2):
            job.says("step", step, rank, ago_s=1.0)
    job.says("step", 11, 0)
    job.says("step", 1, 0, attempt=2, ago_s=60)
    job.says("step", 1, 1, attempt=2, ago_s=60)
    assert training.steps_per_s(5) == 2.0


@pytest.mark.usefixtures("_time_stands_still")
def test_steps_of_a_host_whose_clock_is_behind_are_as_recent_as_they_are(job: Job) -> None:
    for host, offset_s in (("h", 60.0), (RUNNER, 0.0)):
        job.says("clock", 0, host=host, offset_ns=int(offset_s * 1e9), error_ns=0)
    for rank in range(2):
        job.says("step", 1, rank, ago_s=61.0)
    assert training.steps_per_s(5) == 1 / 5


@pytest.mark.usefixtures("_time_stands_still")
def test_steps_count_when_every_rank_of_their_attempt_did_them(job: Job) -> None:
    job.says("start", 0, attempt=1, ago_s=9.0, world=2)
    job.says("start", 5, attempt=2, ago_s=3.0, world=1)
    job.says("step", 5, 0, attempt=1, ago_s=4.0)
    for step in range(6, 16):
        job.says("step", step, 0, attempt=2, ago_s=1.0)
    assert training.steps_per_s(5) == 2.0


@pytest.mark.usefixtures("_time_stands_still")
def test_a_checkpoint_counts_once_a_store_holds_it_verified(job: Job) -> None:
    job.says("checkpoint", 5, stores=[{"url": "s3", "problem": "no answer", "verified": None}])
    with pytest.raises(NoData, match="no checkpoint was verified"):
        training.checkpoint_age_s()
    job.says("checkpoint", 10, ago_s=7.0, stores=[{"url": "a", "problem": "gone"}, {"url": "b", "problem": "", "verified": [10, 1]}])
    assert training.checkpoint_age_s() == pytest.approx(7.0)


def test_missing_ranks_are_pods_that_are_not_ready(job: Job, cluster: FakeCluster) -> None:
    assert training.missing_ranks("trainer") == 2
    for name, ready in (("t-0", True), ("t-1", False)):
        cluster.pods["ml-training", name] = pod(name, "gpu-a", namespace="ml-training", app="trainer", ready=ready)
    assert training.missing_ranks("trainer") == 1


SAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "restarted": ("start", {"world": 2}),
    "poisoned": ("step", {"loss": float("nan")}),
    "save_failed": ("checkpoint", {"stores": [{"url": "a", "problem": ""}, {"url": "b", "problem": "no answer"}]}),
    "left": ("end", {"why": "told to leave by SIGTERM"}),
}


@pytest.mark.parametrize("name", SAYS)
def test_evidence_is_what_the_job_says_after_the_fault_began(job: Job, name: str) -> None:
    probe, (kind, values) = getattr(training, name), SAYS[name]
    job.says(kind, 3, ago_s=5.0, **values)
    with pytest.raises(NoData):
        probe("act")  # nothing was injected yet
    job.run.fault_starts([])
    assert probe("act") is False
    harmless: dict[str, Any] = {"outcome": "applied", "loss": 0.5, "stores": [{"url": "a", "problem": ""}], "why": "all steps are done"}
    if kind in {"step", "checkpoint", "end"}:
        job.says(kind, 4, rank=1, **harmless)
        assert probe("act") is False
    job.says(kind, 5, **values)
    assert probe("act") is True


def test_a_failpoint_is_taken_when_its_file_is_gone_from_the_pod(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.run.targets["act"] = [ResolvedTarget(kind="Pod", name="t-0", namespace="ml-training", uid="u")]
    files = ["/run/failpoints/step+aftershock\n"]
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: files[0])
    with pytest.raises(NoData):
        training.taken("act", "trainer")  # nothing was injected yet
    job.run.fault_starts(job.run.targets["act"])
    assert training.taken("act", "trainer") is False
    files[0] = ""
    assert training.taken("act", "trainer") is True
