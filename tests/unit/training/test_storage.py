"""Stores on folders, sealed documents, and the ways in which bytes are damaged."""

from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from faults.node_agent.storage import damage
from workloads.storage.errors import ObjectMissing, SealBroken, StoreRefused
from workloads.storage.folder import FolderStore
from workloads.storage.s3 import stored_at
from workloads.storage.sealed import seal, unseal
from workloads.storage.store import open_store


def safetensors(numbers: bytes) -> bytes:
    """Return a file of one tensor of 4-byte numbers."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [len(numbers) // 4], "data_offsets": [0, len(numbers)]}}).encode()
    return len(header).to_bytes(8, "little") + header + numbers


@pytest.mark.parametrize("seed", range(5))
def test_other_numbers_leave_a_valid_file_of_the_same_size(seed: int) -> None:
    numbers = random.Random(9).randbytes(400)  # noqa: S311  bytes in files, not secrets
    good = safetensors(numbers)
    other = damage.other_numbers(good, random.Random(seed))  # noqa: S311
    assert (len(other), other[:-400]) == (len(good), good[:-400])
    assert other != good
    assert sorted(other[-400:][at : at + 4] for at in range(0, 400, 4)) == sorted(numbers[at : at + 4] for at in range(0, 400, 4))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no safetensors file"),
        (bytes(100), "no safetensors file"),
        (b"\xff" * 100, "no safetensors file"),
        (safetensors(bytes(4)), "no safetensors file"),
        (safetensors(bytes(10)), "no safetensors file"),
        (safetensors(bytes(40)), "the 10 numbers repeat"),
    ],
)
def test_what_has_no_other_numbers_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        damage.other_numbers(data, random.Random(1))  # noqa: S311


def test_objects_come_back_and_only_whole_ones_are_listed(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    store.preflight()
    store.put("a/b/one", b"1")
    store.put("a/two", b"2")
    store.put("a/two", b"22")
    (tmp_path / "a" / ".three.123.unfinished").write_bytes(b"half")
    assert store.listing() == ["a/b/one", "a/two"]
    assert store.listing("a/b") == ["a/b/one"]
    assert store.get("a/two") == b"22"
    store.delete("a/b/one")
    store.delete("a/b/one")
    assert store.listing() == ["a/two"]
    with pytest.raises(ObjectMissing, match="a/b/one"):
        store.get("a/b/one")


def test_what_killed_writers_left_goes_with_the_last_file(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    store.put("step/shard", b"1")
    (tmp_path / "step" / ".manifest.json.99.unfinished").write_bytes(b"half")
    store.put("other/shard", b"1")
    (tmp_path / "other" / "mine.txt").write_bytes(b"not yours")
    store.delete("step/shard")
    store.delete("other/shard")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert (tmp_path / "other" / "mine.txt").exists()


def test_creation_is_exclusive(tmp_path: Path) -> None:
    store = FolderStore(str(tmp_path))
    assert [store.create("x/claim", b"first"), store.create("x/claim", b"second")] == [True, False]
    assert store.get("x/claim") == b"first"
    assert store.listing() == ["x/claim"]


def test_every_write_is_synced_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        calls.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    FolderStore(str(tmp_path)).put("step/file", b"x")
    assert calls == [tmp_path.name, f".file.{os.getpid()}.unfinished", "rename", "step"]
    calls.clear()
    FolderStore(str(tmp_path), fsync=False).put("step/file", b"x")
    assert calls == ["rename"]


def test_a_missing_volume_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="there is no such folder; mount the volume"):
        FolderStore(str(tmp_path / "gone")).preflight()
    assert not (tmp_path / "gone").exists()


def test_keys_stay_inside(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="leads out of it"):
        FolderStore(str(tmp_path)).put("../x", b"")


@pytest.mark.parametrize("url", ["", "/folder", "file://host/folder", "s3:///x", "http://x/y"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(StoreRefused, match="expected file:///folder or s3://bucket"):
        open_store(url)


def test_a_seal_tells_every_single_bit() -> None:
    sealed = seal("kind", 3, {"a": [1, 2], "b": "text"})
    opened = unseal(sealed)
    assert (opened.format, opened.version, opened.body) == ("kind", 3, {"a": [1, 2], "b": "text"})
    noticed = 0
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            same = unseal(bytes(changed))
        except SealBroken:
            noticed += 1
        else:
            assert (same.format, same.version, same.body) == (opened.format, opened.version, opened.body)
    assert noticed > 0.8 * len(sealed) * 8, "the rest is white space"
    with pytest.raises(SealBroken):
        unseal(json.dumps(["a"]).encode())


@pytest.mark.parametrize("seed", range(20))
def test_damage_is_repeatable_and_always_damage(seed: int) -> None:
    data, older = random.Random(1).randbytes(200_000), random.Random(2).randbytes(200_000)  # noqa: S311
    for change in (damage.flip_bit, damage.zero_page, damage.truncate, lambda d, r: damage.tear(d, older, r)):
        once, again = (change(data, random.Random(seed)) for _ in range(2))  # noqa: S311
        assert once == again
        assert once != data
    assert len(damage.tear(data, older, random.Random(seed))) == len(data)  # noqa: S311


@pytest.mark.parametrize(
    ("version_id", "since_modified_s"),
    [
        pytest.param("01KAMH6G0R", 2.456, id="the id was made while a slow disk made the folders"),
        pytest.param("01KAMH686R", -5.544, id="the version was superseded later"),
        pytest.param("7ZZZZZZZZZ", 0.0, id="not a time of this era"),
        pytest.param("null", 0.0, id="no ULID"),
    ],
)
def test_a_version_was_stored_when_its_ulid_was_made(version_id: str, since_modified_s: float) -> None:
    modified = datetime(2025, 11, 22, 1, 0, 0, tzinfo=UTC)
    name = version_id + "0" * 16 if version_id != "null" else version_id
    assert stored_at(name, modified) - modified == timedelta(seconds=since_modified_s)
