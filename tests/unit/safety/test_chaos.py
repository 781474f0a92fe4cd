"""Chaos objects are ended by deletion: what hangs is said and never forced, and an end counts only when the pod answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

import faults.network
import faults.pods
from history.errors import UndoFailed
from history.plan import Phase
from kube.client import Platform
from runner.cleanup import leftovers
from runner.cleanup.cleanup import Cleaned, _end_journal, _end_unwritten, status
from runner.cleanup.leftovers import Leftovers, refuse_leftovers
from runner.run.abort.interference import interference
from safety import chaos, undo
from safety.active_run import ActiveRun
from safety.reaper import HEALED, Reaper
from safety.undo_confirmed import unconfirmed_undos
from safety.undo_journal import REAPER, RunHeader, StoredJournal, Undo, UndoKind, journal_name, open_journal
from testing.platform.fake_cluster import pod, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.chaos_mesh import FINALIZER, MeshCluster
from testing.runs.fault_parts import spec

ISOLATE: dict[str, Any] = {"role": "inference", "for_s": 30}


def cut(cluster: MeshCluster, run_dir: Path) -> tuple[ActiveRun, Undo]:
    """Let a live run have cut one pod, which can be asked at port 8000; return what undoes that."""
    for one in cluster.pods.values():
        one.spec.containers[0].ports = [client.V1ContainerPort(container_port=8000)]
    run = live_run(cluster, run_dir, {"cut": spec(faults.network.isolate).resolve(cluster.platform(), ISOLATE, seeded(7))})
    faults.network.isolate("inference", 30)
    (entry,) = run.journal.entries()
    return run, entry


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "GONE_S", 0.02)
    monkeypatch.setattr(chaos, "PAUSE_S", 0.01)


def test_it_is_deleted_once_and_gone_is_as_good(tmp_path: Path) -> None:
    cluster = MeshCluster()
    run, entry = cut(cluster, tmp_path)
    assert undo.undo_entry(run.platform, entry) == f"NetworkChaos aftershock/{entry.object}: gone"
    assert not cluster.plain
    assert undo.undo_entry(run.platform, entry).endswith("gone")
    assert unconfirmed_undos(run.platform, [entry]) == []


def test_the_rollback_of_a_cut_ends_it(tmp_path: Path) -> None:
    cluster = MeshCluster()
    cut(cluster, tmp_path)
    assert faults.network.restore()["undone"]
    assert not cluster.plain


def test_a_deletion_that_hangs_is_not_undone_and_its_finalizer_stays(tmp_path: Path) -> None:
    cluster = MeshCluster()
    run, entry = cut(cluster, tmp_path)
    cluster.stuck = True
    ((_, made),) = cluster.plain.items()
    record = made["status"]["experiment"]["containerRecords"][0]
    record["events"] = [{"type": "Failed", "message": "cannot find daemonIP on node gpu-a"}, {"type": "Succeeded"}]
    with pytest.raises(
        UndoFailed, match=rf"it is being deleted and is still there \(finalizers: {FINALIZER}.*cannot find daemonIP"
    ) as failed:
        undo.undo_entry(run.platform, entry)
    assert "its finalizer is not taken away by force" in str(failed.value)
    assert made["metadata"]["finalizers"] == [FINALIZER]
    assert "is still there" in unconfirmed_undos(run.platform, [entry])[0]


def test_a_pod_that_still_does_not_answer_is_not_healed_whatever_the_controller_says(tmp_path: Path) -> None:
    cluster = MeshCluster()
    run, entry = cut(cluster, tmp_path)
    undo.undo_entry(run.platform, entry)
    hit = run.targets_of()[0].name
    cluster.silent = {f"{hit}:8000"}
    assert unconfirmed_undos(run.platform, [entry]) == [
        f"pod ml-serving/{hit}: its NetworkChaos is gone, and it still does not answer the API server at port 8000"
    ]
    cluster.pods["ml-serving", hit] = pod(hit)  # its successor
    cluster.pods["ml-serving", hit].metadata.uid = "another"
    assert unconfirmed_undos(run.platform, [entry]) == []


def test_a_killed_pod_is_asked_nothing(tmp_path: Path) -> None:
    cluster = MeshCluster()
    run = live_run(cluster, tmp_path, {"kill": spec(faults.pods.kill).resolve(cluster.platform(), {"role": "inference"}, seeded(7))})
    faults.pods.kill("inference")
    (entry,) = run.journal.entries()
    cluster.pods["ml-serving", run.targets_of()[0].name] = pod(run.targets_of()[0].name)
    cluster.silent = {f"{run.targets_of()[0].name}:8000"}
    undo.undo_entry(run.platform, entry)
    assert unconfirmed_undos(run.platform, [entry]) == []


@pytest.mark.parametrize("detail", ["", "uid", '{"plural": "podchaos", "beyond": 1}', '{"plural": "stresschaos"}'])
def test_an_entry_that_this_version_does_not_write_is_named(detail: str) -> None:
    entry = Undo(kind=UndoKind.DELETE_CHAOS, activity="cut", object="aftershock-1", namespace="aftershock", detail=detail, ends_by_ns=0)
    with pytest.raises(UndoFailed, match=r"cannot be read|is no kind that this version of the suite makes"):
        undo.undo_entry(MeshCluster().platform(), entry)


# by others


def test_the_reaper_ends_what_a_dead_run_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety.reaper.list_leases", lambda _: [])
    cluster = MeshCluster()
    run, entry = cut(cluster, tmp_path)
    journal = open_journal(run.platform, "run-1", "me", "serving/replica-partitioned")
    journal.will_undo(entry)
    assert Reaper(run.platform, journal, "run-1", 2**62).look() == HEALED
    assert not cluster.plain
    assert [one.done_by for one in journal.entries()] == [REAPER]


def stored(entry: Undo) -> StoredJournal:
    header = RunHeader(run_id="run-1", owner="me", experiment="x", started_ns=0)
    return StoredJournal(name=journal_name("run-1"), header=header, entries=(entry,))


def test_heal_ends_it_and_is_content_only_when_the_pod_answers(tmp_path: Path) -> None:
    cluster, cleaned = MeshCluster(), Cleaned()
    run, entry = cut(cluster, tmp_path)
    journal = open_journal(run.platform, "run-1", "me", "x")
    journal.will_undo(entry)
    cluster.silent = {f"{run.targets_of()[0].name}:8000"}
    _end_journal(run.platform, stored(entry), cleaned)
    assert "it still does not answer" in cleaned.failed[0]
    cluster.silent, cleaned = set(), Cleaned()
    _end_journal(run.platform, stored(entry), cleaned)
    assert not cleaned.failed
    assert not cluster.config_maps


def test_an_object_that_no_journal_names_is_found_shown_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, cleaned = MeshCluster(), Cleaned()
    run, entry = cut(cluster, tmp_path)
    left = found(run.platform, monkeypatch)
    assert [one.object for one in left.orphaned_chaos] == [entry.object]
    monkeypatch.setattr("runner.cleanup.cleanup.find_leftovers", lambda _: left)
    monkeypatch.setattr("runner.cleanup.cleanup.reaper_job.runs", lambda _: set())
    monkeypatch.setattr("runner.cleanup.cleanup.left_behind", lambda *_: [])
    assert status(run.platform) == [f"NetworkChaos aftershock/{entry.object}: of run run-1"]
    refuse_leftovers(left)  # bounded by its own duration, as a fault pod is: no reason to refuse a run
    _end_unwritten(run.platform, left, (), cleaned)
    assert not cluster.plain


def found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Leftovers:
    monkeypatch.setattr(leftovers, "unschedulable_nodes", lambda _: [])
    monkeypatch.setattr(leftovers, "list_leases", lambda _: [])
    return leftovers.find_leftovers(platform)


def test_where_nobody_may_look_or_no_region_has_it_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = MeshCluster()
    cluster.resources = set()  # not installed any more
    assert found(cluster.platform(), monkeypatch).chaos == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda cluster, key: cluster.plain.pop(key), "was removed"),
        (lambda cluster, key: cluster.plain[key]["metadata"].update(deletionTimestamp="now"), "is being removed"),
        (lambda cluster, key: cluster.plain[key]["metadata"].update(annotations={"experiment.chaos-mesh.org/pause": "true"}), "is paused"),
    ],
)
def test_who_ends_or_pauses_it_before_its_time_stops_the_run(tmp_path: Path, change: Any, says: str) -> None:
    cluster = MeshCluster()
    run, _ = cut(cluster, tmp_path)
    condition = interference(run, lambda: Phase.OBSERVE)
    assert condition() is None
    change(cluster, next(iter(cluster.plain)))
    met = condition()
    assert met is not None
    assert f" {says}: the fault may have ended before its time" in met[1]
