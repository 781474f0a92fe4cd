"""Damage at rest: it hits finished checkpoints only, in place, once each, and the manifests tell."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from workloads.storage.damage_at_rest import KINDS, damage_newest, finished, hurt, look, main
from workloads.storage.sealed import digest, seal


def _rng(seed: int) -> Random:
    return Random(seed)  # noqa: S311  bytes in files, not secrets


def _checkpoint(root: Path, step: int, content: bytes, *, whole: bool = True) -> Path:
    folder = root / f"step-{step:08d}.a0001"
    folder.mkdir()
    files = {}
    for rank in range(2):
        name, data = f"shard-{rank}-of-2.safetensors", content + bytes([rank])
        (folder / name).write_bytes(data)
        files[name] = {"sha256": digest(data), "bytes": len(data)}
    if whole:
        (folder / "manifest.json").write_bytes(seal("aftershock.checkpoint", 1, {"files": files}))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _checkpoint(tmp_path, 10, _rng(1).randbytes(9000))
    _checkpoint(tmp_path, 20, _rng(2).randbytes(9000))
    _checkpoint(tmp_path, 30, b"unfinished", whole=False)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_newest_finished_one_is_damaged_and_its_manifest_tells(root: Path, kind: str) -> None:
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in root.rglob("*") if path.is_file()}
    (done,) = damage_newest(root, kind, seed=3, for_s=0.3)
    changed = [path for path, (_, content) in before.items() if path.read_bytes() != content]
    assert changed == [root / done.checkpoint / done.file]
    assert done.checkpoint == "step-00000020.a0001"
    assert changed[0].stat().st_ino == before[changed[0]][0], "the same file: what a server keeps beside it stays"
    assert look(root) == [done]


def test_the_same_seed_is_the_same_damage(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for step, seed in ((10, 1), (20, 2)):
        _checkpoint(other, step, _rng(seed).randbytes(9000))
    assert damage_newest(root, "bit-flip", 7, 0.2) == damage_newest(other, "bit-flip", 7, 0.2)


def test_what_is_gone_or_has_no_older_one_is_left(root: Path) -> None:
    newest = finished(root)[-1]
    (newest / "shard-0-of-2.safetensors").unlink()
    (newest / "shard-1-of-2.safetensors").unlink()
    assert hurt(newest, None, "bit-flip", _rng(0)) is None
    (newest / "manifest.json").write_bytes(b"{}")
    assert hurt(newest, None, "bit-flip", _rng(0)) is None
    assert look(root) == []


def test_the_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", str(root)]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["damage", str(root), "--for", "0.2", "--seed", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["look", str(root)]) == 0
    assert json.loads(capsys.readouterr().out) == [said]
    assert main(["look", str(root / "missing")]) == 2
    assert main(["damage", str(root), "--for", "1000"]) == 2
