"""Undoing restores what was, twice is as good as once, and what others changed stays."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from history.errors import FaultFailed, UndoFailed
from kube.disruption import eviction
from kube.selection import node_target
from safety import undo
from safety.undo_journal import REAPER, Undo, UndoKind
from target.region import CommandDriver
from testing.platform.fake_cluster import FakeCluster, local_target, pod
from testing.platform.fake_run import live_run
from testing.platform.workload_kinds import signalled


def entry(kind: UndoKind, obj: str, **more: Any) -> Undo:
    return Undo(kind=kind, activity="act", object=obj, ends_by_ns=more.pop("ends_by_ns", 2**62), **more)


def ends(run_dir: Path) -> list[dict[str, Any]]:
    rows = [orjson.loads(line) for line in (run_dir / "events.test.jsonl").read_text().splitlines()]
    return [row | orjson.loads(row["detail"]) for row in rows if row["kind"] == "fault.end"]


def test_our_cordon_is_taken_back() -> None:
    cluster = FakeCluster()
    undo.cordon(cluster.platform(), "gpu-a", "run-1")
    assert cluster.nodes["gpu-a"].spec.unschedulable
    done = entry(UndoKind.UNCORDON, "gpu-a", detail="run-1")
    assert undo.undo_entry(cluster.platform(), done) == "node gpu-a: uncordoned"
    assert not cluster.nodes["gpu-a"].spec.unschedulable
    assert not cluster.nodes["gpu-a"].metadata.annotations
    assert undo.undo_entry(cluster.platform(), done).endswith("left as it is")


def test_a_cordon_of_others_stays() -> None:
    cluster = FakeCluster()
    undo.cordon(cluster.platform(), "gpu-a", "run-2")
    undo.undo_entry(cluster.platform(), entry(UndoKind.UNCORDON, "gpu-a", detail="run-1"))
    assert cluster.nodes["gpu-a"].spec.unschedulable


def test_a_node_that_was_removed_needs_no_undo() -> None:
    assert "removed from the cluster" in undo.undo_entry(FakeCluster().platform(), entry(UndoKind.UNCORDON, "ghost", detail="run-1"))


def test_a_pod_with_an_ephemeral_container_is_replaced_once() -> None:
    cluster = FakeCluster()
    cluster.refuse_evictions = 1  # a disruption budget, for a moment
    done = entry(UndoKind.REPLACE_POD, "inference-a", namespace="ml-serving", detail="uid-inference-a")
    assert "evicted" in undo.undo_entry(cluster.platform(), done)
    assert cluster.calls == ["evict inference-a"] * 2
    assert undo.undo_entry(cluster.platform(), done) == "pod ml-serving/inference-a: already replaced"


def test_a_new_pod_of_the_same_name_is_left_alone() -> None:
    cluster = FakeCluster()
    done = entry(UndoKind.REPLACE_POD, "inference-a", namespace="ml-serving", detail="uid-of-an-older-one")
    assert "already replaced" in undo.undo_entry(cluster.platform(), done)
    assert not cluster.calls


def test_an_eviction_that_stays_forbidden_is_an_error() -> None:
    cluster = FakeCluster()
    cluster.refuse_evictions = 10
    with pytest.raises(UndoFailed, match="a disruption budget still forbids its eviction"):
        eviction.evict(cluster.platform(), "inference-a", "ml-serving", "uid-inference-a", until_s=0.0)


def test_a_fault_pod_is_deleted_once() -> None:
    cluster = FakeCluster()
    cluster.pods[("aftershock", "fault")] = pod("fault", namespace="aftershock")
    done = entry(UndoKind.DELETE_POD, "fault", namespace="aftershock")
    assert undo.undo_entry(cluster.platform(), done) == "pod aftershock/fault: gone"
    assert undo.undo_entry(cluster.platform(), done) == "pod aftershock/fault: gone"


def test_a_fault_pod_whose_kubelet_is_frozen_is_not_undone_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()
    cluster.pods[("aftershock", "fault")] = pod("fault", namespace="aftershock")
    monkeypatch.setattr(cluster, "delete_namespaced_pod", lambda *_: None)  # it is terminating, and nobody ends it
    monkeypatch.setattr(undo, "GONE_S", 0.05)
    monkeypatch.setattr(undo, "PAUSE_S", 0.01)
    with pytest.raises(UndoFailed, match=r"its kubelet has not ended it within 0\.05 s; what it set ends by itself"):
        undo.undo_entry(cluster.platform(), entry(UndoKind.DELETE_POD, "fault", namespace="aftershock"))


def test_a_driver_that_fails_says_so() -> None:
    driver = CommandDriver(fail=("false",), repair=(sys.executable, "-c", "import sys; sys.exit('no route to the BMC of {node}')"))
    platform = FakeCluster().platform(local_target(machines=driver))
    with pytest.raises(UndoFailed, match=r"power on gpu-a: .* ended with status 1, expected 0; it said: no route to the BMC of gpu-a"):
        undo.undo_entry(platform, entry(UndoKind.POWER_ON, "gpu-a"))


def test_all_are_tried_latest_first_and_the_end_is_recorded_once(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {"act": [node_target(cluster.nodes["gpu-a"], "", "")]})
    for name in ("gpu-a", "gpu-b"):
        undo.cordon(run.platform, name, "run-1")
        run.journal.will_undo(entry(UndoKind.UNCORDON, name, detail="run-1"))
    del cluster.pods[("ml-serving", "inference-a")]
    run.journal.will_undo(entry(UndoKind.REPLACE_POD, "inference-b", namespace="ml-serving", detail="uid-inference-b"))
    signalled(cluster, "inference-b", code=None).metadata.owner_references = []
    with pytest.raises(UndoFailed, match="inference-b"):
        undo.undo_all(run)
    assert [one.done for one in run.journal.entries()] == [True, True, False]
    assert cluster.calls[-2:] == ["patch node gpu-b", "patch node gpu-a"]
    assert [row["object"] for row in ends(tmp_path)] == ["act"]
    assert undo.undo_all(run, {UndoKind.UNCORDON}) == []


def test_a_fault_that_ended_by_itself_ended_then(tmp_path: Path) -> None:
    cluster = FakeCluster()
    run = live_run(cluster, tmp_path, {})
    run.journal.will_undo(entry(UndoKind.NOTHING, "x", ends_by_ns=1_000, self_ends="the timer"))
    undo.undo_all(run)
    (row,) = ends(tmp_path)
    assert (row["t_ns"], row["how"]) == (1_000, "the timer")


def test_the_end_of_a_fault_that_the_reaper_undid_is_recorded_too(tmp_path: Path) -> None:
    run = live_run(FakeCluster(), tmp_path, {})
    undo_entry = entry(UndoKind.UNCORDON, "gpu-a", detail="run-1", ends_by_ns=2**62)
    run.journal.will_undo(undo_entry)
    run.journal.undone(undo_entry, REAPER)
    (done,) = run.journal.entries()
    assert undo.undo_all(run) == []
    (row,) = ends(tmp_path)
    assert (row["t_ns"], row["how"]) == (done.done_ns, "undone by the reaper in the cluster")


def test_a_drain_evicts_what_kubectl_would() -> None:
    cluster = FakeCluster()
    cluster.pods[("ml-serving", "agent")] = pod("agent", "gpu-a", owner="DaemonSet")
    cluster.pods[("ml-serving", "static")] = pod("static", "gpu-a")
    cluster.pods[("ml-serving", "static")].metadata.annotations = {"kubernetes.io/config.mirror": "x"}
    cluster.pods[("ml-serving", "ended")] = pod("ended", "gpu-a")
    cluster.pods[("ml-serving", "ended")].status.phase = "Succeeded"
    cluster.refuse_evictions = 1
    assert eviction.drain(cluster.platform(), "gpu-a", 30) == ["inference-a"]
    assert sorted(p for _, p in cluster.pods if cluster.pods[(_, p)].spec.node_name == "gpu-a") == ["agent", "ended", "static"]


def test_a_drain_that_a_budget_holds_back_fails() -> None:
    cluster = FakeCluster()
    cluster.refuse_evictions = 100
    with pytest.raises(FaultFailed, match="disruption budget still forbids"):
        eviction.drain(cluster.platform(), "gpu-a", 0.0)


def test_pods_without_a_controller_are_found() -> None:
    bare = pod("bare", owner=None)
    assert eviction.without_controller([bare, pod("owned")]) == ["ml-serving/bare"]
