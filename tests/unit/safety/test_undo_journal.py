"""The undo journal: written before the fault, never overwritten, never lost by a conflict."""

from __future__ import annotations

import pytest
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, TargetRefused, UndoFailed
from safety.undo_journal import RunJournal, Undo, UndoKind, journal_name, journal_of, list_journals, open_journal
from testing.platform.fake_cluster import FakeCluster


def undo(name: str, kind: UndoKind = UndoKind.UNCORDON) -> Undo:
    return Undo(kind=kind, activity="drain", object=name, ends_by_ns=1)


def opened(cluster: FakeCluster, run_id: str = "run-1") -> RunJournal:
    return open_journal(cluster.platform(), run_id, "me@here:1", "serving/node-drained")


def test_what_is_recorded_is_found_by_somebody_else() -> None:
    cluster = FakeCluster()
    journal = opened(cluster)
    journal.will_undo(undo("gpu-a"))
    journal.will_undo(undo("gpu-b", UndoKind.POWER_ON))
    (found,) = list_journals(cluster.platform())
    assert found.header.run_id == "run-1"
    assert found.header.experiment == "serving/node-drained"
    assert [one.object for one in found.remaining] == ["gpu-b", "gpu-a"]  # latest first
    journal_of(cluster.platform(), found).undone(found.remaining[0])
    assert [one.object for one in list_journals(cluster.platform())[0].remaining] == ["gpu-a"]


def test_a_run_id_is_used_once() -> None:
    cluster = FakeCluster()
    opened(cluster)
    with pytest.raises(TargetRefused, match="AlreadyExists"):
        opened(cluster)


def test_a_conflict_loses_nobody_s_change() -> None:
    cluster = FakeCluster()
    mine = opened(cluster)
    theirs = RunJournal(cluster, "aftershock", mine.name)
    cluster.conflicts = [lambda: theirs.will_undo(undo("gpu-b")), lambda: None, lambda: None]
    mine.will_undo(undo("gpu-a"))
    assert {one.object for one in mine.entries()} == {"gpu-a", "gpu-b"}


def test_a_journal_that_cannot_be_written_stops_the_fault() -> None:
    cluster = FakeCluster()
    journal = opened(cluster)

    def away() -> None:
        raise ApiException(status=503, reason="Service Unavailable")

    cluster.conflicts = [away]
    with pytest.raises(FaultFailed, match="record how to undo drain: the API server answered 503"):
        journal.will_undo(undo("gpu-a"))


def test_it_closes_only_when_everything_is_undone() -> None:
    cluster = FakeCluster()
    journal = opened(cluster)
    entry = undo("gpu-a")
    journal.will_undo(entry)
    with pytest.raises(UndoFailed, match="uncordon gpu-a is not undone yet; run make heal"):
        journal.close()
    journal.undone(entry)
    journal.close()
    assert not cluster.config_maps


def test_a_foreign_config_map_is_not_taken_for_a_journal() -> None:
    cluster = FakeCluster()
    name = opened(cluster).name
    cluster.config_maps[name].data["undo"] = '[{"kind": "format-disk"}]'
    with pytest.raises(TargetRefused, match="it cannot be read"):
        list_journals(cluster.platform())


def test_a_run_id_becomes_a_valid_name() -> None:
    assert journal_name("2026-11-21T10:00/Zone lost") == "aftershock-run-2026-11-21t10-00-zone-lost"
