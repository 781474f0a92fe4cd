"""Stored files against the record that lists them: which differ, and that nothing is said of what cannot be read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from history.errors import NoData
from history.plan import ResolvedTarget
from probes.stored import differing
from testing.platform.fake_cluster import FakeCluster
from testing.platform.fake_run import live_run
from testing.runs.beside_cluster import locally

TARGET = ResolvedTarget(kind="Pod", name="s3-0", uid="u", namespace="ml-training", effect="damage", ends="itself")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("kube.container_exec.output_of", locally)
    live_run(FakeCluster(), tmp_path, {"act": [TARGET]})
    names = ("shard 0", "back\\slash")
    for name in names:
        (tmp_path / name).write_text(name)
    files = {name: {"sha256": hashlib.sha256(name.encode()).hexdigest()} for name in names}
    (tmp_path / "record.json").write_text(json.dumps({"body": {"files": files}}))
    return tmp_path


@pytest.mark.parametrize("damaged", [[], ["shard 0"], ["back\\slash"], ["shard 0", "back\\slash"]])
def test_what_differs_is_named(folder: Path, damaged: list[str]) -> None:
    for name in damaged:
        (folder / name).write_text("rotten")
    assert differing(TARGET, "storage", str(folder), "record.json") == damaged


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"body": {"files": ["a"]}}', '{"body": {"files": {}}}'])
def test_a_record_that_lists_nothing_tells_nothing(folder: Path, record: str) -> None:
    (folder / "record.json").write_text(record)
    with pytest.raises(NoData, match=r"record.json (is no record|lists no file)"):
        differing(TARGET, "storage", str(folder), "record.json")


def test_a_file_that_is_gone_tells_nothing(folder: Path) -> None:
    (folder / "shard 0").unlink()
    with pytest.raises(NoData, match="No such file"):
        differing(TARGET, "storage", str(folder), "record.json")
