"""Stored weights are damaged if, on every store's disk, they differ from their record; what cannot be read tells nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from history.errors import NoData
from history.plan import ResolvedTarget
from probes import weights
from target.object_store import ObjectStore, Recorded
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run
from testing.runs.beside_cluster import locally

NAME = "model.safetensors"


def store(name: str) -> ResolvedTarget:
    return ResolvedTarget(kind="Pod", name=name, uid="u", namespace="ml-training", effect="damage", ends="itself")


def on(folder: Path) -> Target:
    """Return the local target, whose stores of weights have them in a folder of this machine."""
    target = local_target()
    kept = ObjectStore(buckets=str(folder), kept=f"{folder}-kept", model=Recorded(folder="models/ring", record="record.json"))
    models = target.roles["models"].model_copy(update={"object_store": kept})
    return target.model_copy(update={"roles": target.roles | {"models": models}})


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the weights, as its record says."""
    monkeypatch.setattr("kube.container_exec.output_of", locally)
    live_run(FakeCluster(), tmp_path, {"act": [store("s3-a")], "gone": [store("s3-a"), store("s3-gone")]}, on(tmp_path))
    folder = tmp_path / "models" / "ring"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"good")
    files = {NAME: {"sha256": hashlib.sha256(b"good").hexdigest()}}
    (folder / "record.json").write_text(json.dumps({"body": {"files": files}}))
    return folder / NAME


def test_they_are_damaged_once_they_differ_from_their_record(stored: Path) -> None:
    assert not weights.damaged("act", "models")
    stored.write_bytes(b"evil")
    assert weights.damaged("act", "models")


def test_where_one_store_cannot_be_read_nothing_is_said(stored: Path) -> None:
    stored.write_bytes(b"evil")
    with pytest.raises(NoData, match="s3-gone"):
        weights.damaged("gone", "models")


def test_weights_that_are_not_there_tell_nothing(stored: Path) -> None:
    stored.unlink()
    with pytest.raises(NoData, match="No such file"):
        weights.damaged("act", "models")
