"""Stored weights that are overwritten: which stores are resolved, what is refused, and that the journal knows it before it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import faults.weights
from history.errors import ConfigError, TargetRefused
from safety.data_damage import TRAINING_DATA, damage_of
from safety.undo_journal import UndoKind
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target, pod, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec

ASKED: dict[str, Any] = {"role": "models", "for_s": 40, "count": 2}
STORES = {"s3-a", "s3-b"}


class Stores(FakeCluster):
    """Two object stores; what is put beside them says that it did its part, and is noted among the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[list[str]] = []
        for name in sorted(STORES):
            made = self.pods["ml-training", name] = pod(name, f"cpu-{name[-1]}", namespace="ml-training", app="s3", owner="StatefulSet")
            made.spec.containers[0].name = "s3"
            [status] = made.status.container_statuses or []
            status.name = "s3"

    def patch_namespaced_pod_ephemeralcontainers(self, name: str, _namespace: str, body: Any) -> None:
        [added] = body["spec"]["ephemeralContainers"]
        self.calls.append(f"beside {name}")
        self.commands.append(added["command"])

    def read_namespaced_pod_log(self, *_: object, **__: object) -> str:
        return "\n".join(json.dumps({word: "it"}) for word in ("armed", "did"))


def resolve(cluster: FakeCluster, target: Target | None = None, **changes: Any) -> Any:
    return spec(faults.weights.overwrite).resolve(cluster.platform(target), ASKED | changes, seeded(7))


def without(part: str) -> Target:
    """Return the local target, whose stores of weights do not say ``part``."""
    target = local_target()
    models = target.roles["models"]
    assert models.object_store
    lacking = models.model_copy(update={"object_store": models.object_store.model_copy(update={part: None})})
    return target.model_copy(update={"roles": target.roles | {"models": lacking}})


def test_it_says_which_stores_what_is_done_to_them_how_long_and_who_ends_it() -> None:
    targets = resolve(Stores(), kind="truncation")
    assert {target.name for target in targets} == STORES
    assert {target.effect for target in targets} == {f"{faults.weights.EFFECT} uploaded again with truncation for 40 s"}
    assert {target.ends for target in targets} == {faults.weights.ENDS}
    assert spec(faults.weights.overwrite).lasts_s(ASKED) == 40


@pytest.mark.parametrize("wrong", [{"kind": "rubbish"}, {"kind": None}, {"for_s": 0}, {"for_s": "40s"}, {"for_s": 121}])
def test_what_cannot_be_meant_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^overwrite: {next(iter(wrong))} is "):
        resolve(Stores(), **wrong)


def test_more_stores_than_there_are_is_refused() -> None:
    with pytest.raises(TargetRefused, match="2 found, 3 needed"):
        resolve(Stores(), count=3)


@pytest.mark.parametrize("part", ["model", "s3"])
def test_a_role_that_does_not_say_where_weights_lie_or_how_they_are_reached_is_refused_with_the_key_to_add(part: str) -> None:
    with pytest.raises(ConfigError, match=f"^role models of the target file .* add roles.models.object_store.{part} "):
        resolve(Stores(), without(part))
    with pytest.raises(ConfigError, match=r"add roles\.inference\.object_store"):
        resolve(Stores(), role="inference")


def test_it_stands_in_the_journal_with_its_undo_before_anything_is_put_beside_a_store(tmp_path: Path) -> None:
    cluster = Stores()
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)}, seed=3)
    assert set(faults.weights.overwrite("models", 40, count=2)["targets"]) == STORES  # type: ignore[call-overload]  # a list of names
    first = next(number for number, call in enumerate(cluster.calls) if call.startswith("beside"))
    written = {call for call in cluster.calls[:first] if call.startswith("write ahead")}
    assert written == {f"write ahead restore-data {name}" for name in STORES}
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.RESTORE_DATA] * 2
    damages = [damage_of(entry) for entry in run.journal.entries()]
    assert {(damage.program, damage.arguments[-1]) for damage in damages} == {(TRAINING_DATA, "--undo")}
    assert all("models/ring" in damage.what and damage.what.startswith(faults.weights.EFFECT) for damage in damages)
    assert "fault.start" in kinds(tmp_path)


def test_a_standby_that_undoes_stands_beside_each_store_before_the_program_that_damages(tmp_path: Path) -> None:
    cluster = Stores()
    live_run(cluster, tmp_path, {"act": resolve(cluster)}, seed=3)
    faults.weights.overwrite("models", 40, "bit-flip", 2)
    standbys, programs = cluster.commands[:2], cluster.commands[2:]
    assert all("--undo" in words and "--kind" not in words for words in standbys)
    assert [words[words.index("--kind") + 1] for words in programs] == ["bit-flip"] * 2
    assert all("s3://models/ring?endpoint=http://127.0.0.1:7070&region=us-east-1" in words for words in cluster.commands)
