"""Whoever works against a run: the fault reverted or ended early, its targets replaced, its undo reverted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from history.plan import Phase
from kube.selection import node_target, pod_target
from runner.run.abort.interference import cordoned_again, interference
from safety import cordoning
from safety.undo import undo_all
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import FakeCluster, pod
from testing.platform.fake_run import live_run


def cordoned(cluster: FakeCluster, run_dir: Path) -> Callable[[], tuple[str, str] | None]:
    run = live_run(cluster, run_dir, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    ours = cordoning.write_ahead(run, [cluster.nodes["gpu-a"]])
    condition = interference(run, lambda: Phase.OBSERVE)
    assert condition() is None
    cordoning.cordon(run, ours)
    assert condition() is None
    return condition


def test_a_controller_that_reverts_the_fault_is_named(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    cluster.nodes["gpu-a"].spec.unschedulable = None
    found = condition()
    assert found
    assert found[0] == "somebody else"
    assert "node gpu-a was uncordoned while the run needs it cordoned" in found[1]


def test_our_own_undo_is_nobody_elses(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable, node.metadata.annotations = None, {}  # what our undo does, in one patch
    assert condition() is None


@pytest.mark.parametrize(
    ("gone", "said"), [(True, "node gpu-a was removed"), (False, "node gpu-a was replaced by another of the same name")]
)
def test_a_node_that_somebody_replaces_is_named(tmp_path: Path, gone: bool, said: str) -> None:
    cluster = FakeCluster()
    condition = cordoned(cluster, tmp_path)
    if gone:
        del cluster.nodes["gpu-a"]
    else:
        cluster.nodes["gpu-a"].metadata.uid = "another"
    found = condition()
    assert found
    assert said in found[1]


def isolated(cluster: FakeCluster, run_dir: Path, phase: Phase) -> Callable[[], tuple[str, str] | None]:
    run = live_run(cluster, run_dir, {"act": [pod_target(cluster.pods["ml-serving", "inference-a"], "", "")]})
    undo = Undo(kind=UndoKind.DELETE_POD, activity="act", object="fault-1", namespace="aftershock", detail="gpu-a", ends_by_ns=0)
    run.journal.will_undo(undo)
    cluster.pods["aftershock", "fault-1"] = pod("fault-1", "gpu-a", namespace="aftershock", app="fault", owner=None)
    condition = interference(run, lambda: phase)
    assert condition() is None
    return condition


def removed(cluster: FakeCluster) -> None:
    del cluster.pods["aftershock", "fault-1"]


def being_removed(cluster: FakeCluster) -> None:
    cluster.pods["aftershock", "fault-1"].metadata.deletion_timestamp = datetime(2026, 11, 1, tzinfo=UTC)


def evicted(cluster: FakeCluster) -> None:
    status = cluster.pods["aftershock", "fault-1"].status
    status.phase, status.reason, status.message = "Failed", "Evicted", "The node was low on memory"


GONE = [(removed, "was removed"), (being_removed, "is being removed"), (evicted, "failed (Failed, Evicted, The node was low on memory)")]


@pytest.mark.parametrize(("lose", "said"), GONE)
def test_a_fault_pod_that_ends_before_its_time_stops_the_run(tmp_path: Path, lose: Callable[[FakeCluster], None], said: str) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, Phase.OBSERVE)
    lose(cluster)
    found = condition()
    assert found
    assert found[1].startswith(f"fault pod fault-1 on gpu-a {said}: the fault may have ended before its time, not by this run")


@pytest.mark.parametrize("phase", [Phase.INJECT, Phase.HEAL, Phase.SETTLE])
def test_a_fault_pod_that_is_not_there_yet_or_was_removed_by_the_rollback_is_nobody_elses(tmp_path: Path, phase: Phase) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, phase)
    removed(cluster)
    assert condition() is None


def test_a_fault_pod_whose_time_is_over_has_done_its_work(tmp_path: Path) -> None:
    cluster = FakeCluster()
    condition = isolated(cluster, tmp_path, Phase.OBSERVE)
    cluster.pods["aftershock", "fault-1"].status.phase = "Succeeded"
    assert condition() is None


def written_by(manager: str, at: int, fields: dict[str, Any], subresource: str | None = None) -> client.V1ManagedFieldsEntry:
    when = datetime(2026, 11, 1, 12, 0, at, tzinfo=UTC)
    return client.V1ManagedFieldsEntry(manager=manager, time=when, fields_v1=fields, subresource=subresource)


def test_a_controller_that_reverts_the_undo_is_named_and_left_alone(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    cordoning.cordon(run, cordoning.write_ahead(run, [cluster.nodes["gpu-a"]]))
    undo_all(run)
    assert cordoned_again(run) == {}
    node = cluster.nodes["gpu-a"]
    node.spec.unschedulable = True
    node.metadata.managed_fields = [
        written_by("argocd", 1, {"f:spec": {"f:unschedulable": {}}}),
        written_by("kube-controller-manager", 2, {"f:spec": {"f:taints": {}}}),
        written_by("kubelet", 3, {"f:status": {}}, "status"),
    ]
    [said] = cordoned_again(run).values()
    assert "cordoned again by argocd: a controller reverts the undo; it is left as it is" in said


def test_a_node_of_which_somebody_else_was_the_first_to_cordon_it_is_not_taken_over(tmp_path: Path) -> None:
    cluster = FakeCluster()
    cluster.nodes["gpu-a"].spec.unschedulable = True
    run = live_run(cluster, tmp_path, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    cordoning.cordon(run, cordoning.write_ahead(run, [cluster.nodes["gpu-a"]]))
    undo_all(run)
    assert cordoned_again(run) == {}
