"""How ranks ended: only what was said since the fault counts, and what nobody can see is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.selection import pod_target
from probes import ranks
from safety.active_run import ActiveRun
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.fake_run import live_run

V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"
V2 = "low 0\nhigh 0\nmax 3\noom 1\noom_kill {}\noom_group_kill 0\n"


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    made.pods["ml-training", "train-1"] = pod("train-1", "gpu-b", namespace="ml-training", app="trainer", owner="Job")
    return made


def targets(cluster: FakeCluster) -> list[ResolvedTarget]:
    return [pod_target(cluster.pods["ml-training", "train-1"], "its rank ends", "at once")]


@pytest.fixture
def run(cluster: FakeCluster, tmp_path: Path) -> ActiveRun:
    return live_run(cluster, tmp_path, {"act": targets(cluster)})


def sees(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("kube.container_exec.output_of", lambda *_: text)


@pytest.mark.parametrize("counts", [V1, V2])
def test_the_kernel_s_count_is_evidence_once_the_fault_began(
    cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch, counts: str
) -> None:
    sees(monkeypatch, counts.format(1))
    with pytest.raises(NoData, match=r"no event fault.start of act"):
        ranks.out_of_memory("act", "trainer")
    run.fault_starts(targets(cluster))
    assert ranks.out_of_memory("act", "trainer")
    sees(monkeypatch, counts.format(0))
    assert not ranks.out_of_memory("act", "trainer")


def test_kubernetes_word_for_it_is_evidence_too(cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.fault_starts(targets(cluster))
    sees(monkeypatch, V2.format(0))  # a new control group began to count anew
    [status] = cluster.pods["ml-training", "train-1"].status.container_statuses
    status.name = "trainer"
    for reason, proven in (("OOMKilled", True), ("Error", False)):
        ended = client.V1ContainerStateTerminated(exit_code=137, reason=reason)
        status.last_state = client.V1ContainerState(terminated=ended)
        assert ranks.out_of_memory("act", "trainer") is proven


def test_a_kernel_that_does_not_count_is_said(cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.fault_starts(targets(cluster))
    sees(monkeypatch, "")
    with pytest.raises(NoData, match="counts no kills"):
        ranks.out_of_memory("act", "trainer")


def test_torchrun_must_name_the_signal(cluster: FakeCluster, run: ActiveRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run.fault_starts(targets(cluster))
    said: Any = {"text": "failed (exitcode: -9) local_rank: 0 (pid: 31) of binary: python"}
    monkeypatch.setattr(run.platform.core, "read_namespaced_pod_log", lambda *_, **__: said["text"], raising=False)
    assert not ranks.ended_by("act", "trainer", "SIGSEGV")
    said["text"] += "\nfailed (exitcode: -11) local_rank: 0 (pid: 57) of binary: python"
    assert ranks.ended_by("act", "trainer", "SIGSEGV")
