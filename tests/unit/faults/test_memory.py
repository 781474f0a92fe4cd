"""A container that runs out of memory: what is resolved and refused, what its fault pod is told, and what proves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import faults.memory
from history.errors import TargetRefused
from history.schema import EventKind
from probes import memory
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import fault_pods_told, spec

ID = "f" * 64
ASKED: dict[str, Any] = {"role": "inference", "for_s": 15}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for pod in made.pods.values():
        for container in pod.spec.containers:
            container.resources = client.V1ResourceRequirements(limits={"memory": "1Gi"})
        for status in pod.status.container_statuses or []:
            status.container_id = f"containerd://{ID}"
    return made


def resolve(cluster: FakeCluster) -> Any:
    return spec(faults.memory.exhaust).resolve(cluster.platform(), ASKED, seeded(7))


def test_it_says_what_happens_and_when_the_memory_is_given_back(cluster: FakeCluster) -> None:
    [target] = resolve(cluster)
    assert target.effect == "its memory is taken until the kernel kills its largest process"
    assert "given back when the kernel has killed, after 15 s at the latest" in target.ends


def test_without_a_limit_it_is_a_risk_and_not_tested(cluster: FakeCluster) -> None:
    for pod in cluster.pods.values():
        pod.spec.containers[0].resources = None
    with pytest.raises(TargetRefused, match=r"container server has no limit of memory.*; set resources\.limits\.memory") as refused:
        resolve(cluster)
    assert refused.value.risks == ("role inference: container server has no limit of memory, so a leak takes that of its node; not tested",)


def test_a_pod_whose_processes_the_kernel_spares_is_refused(cluster: FakeCluster) -> None:
    for pod in cluster.pods.values():
        pod.status.qos_class = "Guaranteed"
    with pytest.raises(TargetRefused, match="is of class Guaranteed"):
        resolve(cluster)


def test_its_fault_pod_is_told_which_container_and_is_written_ahead(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = fault_pods_told(monkeypatch, "memory-eat")
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)})
    faults.memory.exhaust("inference", 15)
    assert [one.arguments for one in told] == [("memory-eat", "--pod", run.targets_of()[0].uid, "--container", ID)]
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD]


@pytest.mark.parametrize(
    ("reason", "age_s", "seen"), [("OOMKilled", 0, True), ("OOMKilled", 300, False), ("Error", 0, False), (None, 0, False)]
)
def test_only_an_end_for_lack_of_memory_since_the_fault_proves_it(
    cluster: FakeCluster, tmp_path: Path, reason: str | None, age_s: float, seen: bool
) -> None:
    [target] = resolve(cluster)
    run = live_run(cluster, tmp_path, {"act": [target]})
    run.log.event(EventKind.FAULT_START, "act")
    status = cluster.pods["ml-serving", target.name].status.container_statuses[0]
    if reason:
        ended = client.V1ContainerStateTerminated(exit_code=1, reason=reason, finished_at=datetime.now(UTC) - timedelta(seconds=age_s))
        status.last_state = client.V1ContainerState(terminated=ended)
    assert memory.out_of_memory("act", "inference") is seen
