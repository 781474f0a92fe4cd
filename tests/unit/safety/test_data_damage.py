"""Damaged data are restored by a known program beside the server, or it is said what is damaged, where its good version is, what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from history.errors import NoData, UndoFailed
from runner.cleanup.cleanup import clean_up
from safety import undo
from safety.data_damage import LIMIT_S, DataDamage
from safety.undo_journal import ENTRIES, Undo, UndoKind, open_journal
from target import reference_platform
from testing.platform.fake_cluster import FakeCluster
from testing.runs.runner_cluster import RunnerCluster, serve

DAMAGE = DataDamage(
    container="s3",
    what="a shard in /data/runs/job",
    good="its original in /data/originals",
    program=reference_platform.DAMAGE,
    arguments=("undo", "/data/runs/job of mine"),
    by_hand="cp",
)


def entry(damage: DataDamage = DAMAGE, **more: Any) -> Undo:
    about: dict[str, Any] = {"object": "s3-0", "namespace": "ml-training", "detail": damage.model_dump_json(), **more}
    return Undo(kind=UndoKind.RESTORE_DATA, activity="act", ends_by_ns=0, **about)


def answering(monkeypatch: pytest.MonkeyPatch, answer: str | Exception) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    def output_of(_platform: object, *given: object, limit_s: float) -> str:
        asked.append((*given, limit_s))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("kube.container_exec.output_of", output_of)
    return asked


def test_its_program_runs_in_the_servers_container_bounded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, json.dumps({"said": "put back shard-0", "files": ["shard-0"]}))
    assert undo.undo_entry(FakeCluster().platform(), entry()) == "pod ml-training/s3-0: put back shard-0"
    [(pod, namespace, container, (shell, flag, line), limit_s)] = asked
    assert (pod, namespace, container, shell, flag, limit_s) == ("s3-0", "ml-training", "s3", "sh", "-c", LIMIT_S)
    assert line.endswith("python -m workloads.storage.damage_at_rest undo '/data/runs/job of mine'")


@pytest.mark.parametrize("answer", [NoData("pod ml-training/s3-0: it is\nnot there"), "no JSON", "{}", "[]"])
def test_what_is_not_known_to_be_restored_says_what_is_damaged_where_its_good_version_is_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, answer: str | Exception
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(UndoFailed) as failed:
        undo.undo_entry(FakeCluster().platform(), entry())
    said = str(failed.value)
    assert said.startswith("pod ml-training/s3-0: not known to be restored (a shard in /data/runs/job): ")
    assert said.endswith("good is its original in /data/originals; when the server answers, run make heal, or run beside the server: cp")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (entry(DAMAGE.model_copy(update={"program": "http.server"})), "asks for the program 'http.server'"),
        (entry(namespace="kube-system"), "pod kube-system/s3-0"),
        (entry(namespace=None), "who wrote this entry"),
        (entry(detail="{}"), "cannot be read"),
    ],
)
def test_a_journal_can_ask_for_nothing_else(monkeypatch: pytest.MonkeyPatch, written: Undo, said: str) -> None:
    asked = answering(monkeypatch, "{}")
    with pytest.raises(UndoFailed, match=said):
        undo.undo_entry(FakeCluster().platform(), written)
    assert not asked


def test_an_entry_is_read_as_it_was_written() -> None:
    assert ENTRIES.validate_json(ENTRIES.dump_json((entry(),))) == (entry(),)


def test_heal_ends_a_journal_from_before_this_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = RunnerCluster()
    platform = serve(monkeypatch, cluster)
    journal = open_journal(platform, "run-0", "me", "storage/checkpoints-corrupted")
    body = cluster.config_maps[journal.name]
    body.data["undo"] = json.dumps(
        [
            {
                "kind": "nothing",
                "activity": "damage",
                "object": "s3-0",
                "namespace": "ml-training",
                "ends_by_ns": 1,
                "self_ends": "its retention",
            }
        ]
    )
    cleaned = clean_up(platform)
    assert not cleaned.failed
    assert "s3-0: nothing to undo, its retention" in cleaned.done
    assert not cluster.config_maps
