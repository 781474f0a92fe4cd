"""Damage at rest: it hits finished checkpoints only, in place, once each, and the manifests tell."""

from __future__ import annotations

import json
import os
from pathlib import Path
from random import Random

import pytest

from faults.node_agent.storage.beside import StorageFailed
from faults.node_agent.storage.checkpoints import KINDS, Places, damage_newest, finished, hurt, look, main, put_back, undo
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
    folder = tmp_path / "job"
    folder.mkdir()
    _checkpoint(folder, 10, _rng(1).randbytes(9000))
    _checkpoint(folder, 20, _rng(2).randbytes(9000))
    _checkpoint(folder, 30, b"unfinished", whole=False)
    return folder


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    return tmp_path / "originals" / "act"


def _contents(root: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_ino, path.read_bytes()) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_newest_finished_one_is_damaged_its_manifest_tells_and_the_undo_restores_it_to_the_byte(
    root: Path, originals: Path, kind: str
) -> None:
    before = _contents(root)
    (done,) = damage_newest(root, kind, seed=3, for_s=0.3, originals=originals)
    changed = [path for path, (_, content) in before.items() if path.read_bytes() != content]
    assert changed == [root / done.checkpoint / done.file]
    assert done.checkpoint == "step-00000020.a0001"
    assert changed[0].stat().st_ino == before[changed[0]][0], "the same file: what a server keeps beside it stays"
    assert look(root) == [done]
    assert _contents(root).keys() == before.keys(), "originals are kept elsewhere"
    assert put_back(root, originals) == [f"{done.checkpoint}/{done.file}"]
    assert _contents(root) == before
    assert not originals.exists()
    assert put_back(root, originals) == []


def test_the_same_seed_is_the_same_damage(root: Path, originals: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    for step, seed in ((10, 1), (20, 2)):
        _checkpoint(other, step, _rng(seed).randbytes(9000))
    one, two = originals / "one", originals / "two"
    assert damage_newest(root, "bit-flip", 7, 0.2, one) == damage_newest(other, "bit-flip", 7, 0.2, two)


def test_what_is_gone_or_has_no_older_one_is_left(root: Path, originals: Path) -> None:
    newest = finished(root)[-1]
    (newest / "shard-0-of-2.safetensors").unlink()
    (newest / "shard-1-of-2.safetensors").unlink()
    assert hurt(newest, None, "bit-flip", _rng(0), originals) is None
    (newest / "manifest.json").write_bytes(b"{}")
    assert hurt(newest, None, "bit-flip", _rng(0), originals) is None
    assert look(root) == []


def test_what_cannot_be_kept_is_not_damaged(root: Path, originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("faults.node_agent.storage.checkpoints.keep", full)
    with pytest.raises(OSError, match="No space left"):
        damage_newest(root, "bit-flip", 1, 0.3, originals)
    assert look(root) == []


def test_what_is_damaged_already_is_left_and_its_content_is_not_taken_for_an_original(root: Path, originals: Path) -> None:
    newest = finished(root)[-1]
    for shard in newest.glob("shard-*"):
        shard.write_bytes(b"rotten")
    assert hurt(newest, None, "bit-flip", _rng(0), originals) is None
    assert not originals.exists()


def test_an_undo_half_done_is_done_again(root: Path, originals: Path) -> None:
    before = _contents(root)
    (done,) = damage_newest(root, "truncation", 3, 0.3, originals)
    path = root / done.checkpoint / done.file
    path.write_bytes(before[path][1][:100])  # killed while it wrote
    assert put_back(root, originals) == [f"{done.checkpoint}/{done.file}"]
    assert _contents(root) == before


def test_a_checkpoint_that_was_removed_or_replaced_meanwhile_is_left_as_it_is(root: Path, originals: Path) -> None:
    (done,) = damage_newest(root, "bit-flip", 3, 0.3, originals)
    newest = root / done.checkpoint
    for path in newest.iterdir():
        path.unlink()
    assert put_back(root, originals) == []
    assert not list(newest.iterdir())
    newest.rmdir()
    (originals / done.checkpoint).mkdir(parents=True)
    (originals / done.checkpoint / done.file).write_bytes(b"of the former one")
    _checkpoint(root, 20, b"another")
    assert put_back(root, originals) == []
    assert look(root) == []


def test_an_original_that_is_gone_is_said_with_what_to_do_and_the_damage_stays_open(root: Path, originals: Path, tmp_path: Path) -> None:
    (done,) = damage_newest(root, "bit-flip", 3, 0.3, originals)
    (originals / done.checkpoint / done.file).unlink()
    for _ in range(2):
        with pytest.raises(StorageFailed, match=rf"{done.checkpoint}/{done.file} differs .* no original .* from another store"):
            undo(Places(root, originals, tmp_path / "outcome.json"))
    assert look(root) == [done]


def test_what_nobody_undid_is_undone_by_the_program_itself(root: Path, originals: Path, tmp_path: Path) -> None:
    before, outcome = _contents(root), tmp_path / "outcome.json"
    kept = ["--buckets", str(tmp_path), "--originals", str(originals), "--outcome", str(outcome)]
    assert main(["damage", str(root), "--for", "0.2", "--undo-after", "0.1", *kept]) == 0
    assert len(json.loads(outcome.read_text())["files"]) == 1
    assert _contents(root) == before


def test_nothing_is_damaged_after_the_undo(root: Path, originals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = ["--buckets", str(tmp_path), "--originals", str(originals), "--outcome", str(tmp_path / "outcome.json")]
    for _ in range(2):
        assert main(["undo", str(root), *kept]) == 0
        assert json.loads(capsys.readouterr().out) == {"said": "every checkpoint that is there was good already", "files": []}
    assert main(["damage", str(root), "--for", "0.2", *kept]) == 3  # it was started before, and came late
    assert look(root) == []


def test_the_command(root: Path, originals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = ["--buckets", str(tmp_path), "--originals", str(originals), "--outcome", str(tmp_path / "outcome.json")]
    assert main(["damage", str(root), "--for", "0.2", "--seed", "1", *kept]) == 0
    armed, begun, damaged, ended = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (armed["armed"], begun["did"], ended["did"]) == ("bit-flip in each newest finished checkpoint", "begun", "ended")
    [now] = look(root)
    assert damaged["damaged"] == f"{now.checkpoint}/{now.file}"
    assert main(["undo", str(root), *kept]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [damaged["damaged"]]
    (finished(root)[-1] / now.file).write_bytes(b"rotten")
    assert main(["undo", str(root), *kept[:-1], str(tmp_path / "other.json")]) == 4
    assert "no original of it" in json.loads(capsys.readouterr().out)["failed"]
    assert main(["damage", str(root / "missing"), *kept]) == 3
    assert "correct checkpoints under the role's object_store" in json.loads(capsys.readouterr().out)["refused"]
    with pytest.raises(SystemExit, match="2"):
        main(["damage", str(root), "--for", "1000", *kept])


def test_a_server_that_is_not_beside_it_is_refused(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = ["--buckets", "/no/such/folder", "--originals", str(tmp_path), "--outcome", str(tmp_path / "outcome.json")]
    assert main(["damage", str(root), *nowhere]) == 3
    assert "has the folder /no/such/folder" in json.loads(capsys.readouterr().out)["refused"]


def test_what_an_undo_came_to_is_forgotten_after_a_day(root: Path, originals: Path, tmp_path: Path) -> None:
    old, young = tmp_path / "aftershock-old.json", tmp_path / "aftershock-young.json"
    for path in (old, young):
        path.write_text("{}")
    os.utime(old, (1e9, 1e9))
    undo(Places(root, originals, tmp_path / "aftershock-now.json"))
    assert (old.exists(), young.exists()) == (False, True)
