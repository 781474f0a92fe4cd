"""What is uploaded again, damaged: of other numbers the safetensors files alone, and nothing of what is too large."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from faults.node_agent.node import Refused
from faults.node_agent.storage import training_data
from faults.node_agent.storage.beside import StorageFailed
from faults.node_agent.storage.records import digest
from faults.node_agent.storage.s3 import Bucket
from faults.node_agent.storage.training_data import main, overwrite, to_damage

RECORD = "record.json"
HEADER = b'{"a":{}}'
NUMBERS = Random(9).randbytes(400)  # noqa: S311  bytes in files, not secrets
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + NUMBERS
OTHERS = {"config.json": b'{"layers": 2}' * 9, "tokenizer.model": bytes(range(200))}


class Kept(Bucket):
    """A bucket in memory."""

    def __init__(self, **files: bytes) -> None:
        super().__init__("s3://models/ring?endpoint=http://127.0.0.1:7070")
        body = {"files": {name: {"sha256": digest(content)} for name, content in files.items()}}
        sealed = digest(json.dumps({"body": body}, sort_keys=True, separators=(",", ":")).encode())
        self.files = files | {RECORD: json.dumps({"body": body, "sha256": sealed}).encode()}
        self.stored: dict[str, bytes] = {}

    def preflight(self) -> None:
        """Keep versions."""

    def get(self, key: str, version: str = "", most: int | None = None) -> bytes:
        assert not version
        return self.files[key][: None if most is None else most + 1]

    def put(self, key: str, data: bytes) -> None:
        self.stored[key] = data


def damage(bucket: Kept, kind: str = "other-numbers") -> None:
    overwrite(bucket, to_damage(bucket, RECORD, kind), kind, 1)


def test_of_other_numbers_what_is_no_safetensors_file_is_left_out() -> None:
    bucket = Kept(**{"model.safetensors": WEIGHTS}, **OTHERS)
    damage(bucket)
    assert list(bucket.stored) == ["model.safetensors"]
    assert len(bucket.stored["model.safetensors"]) == len(WEIGHTS)
    assert bucket.stored["model.safetensors"] != WEIGHTS


@pytest.mark.parametrize("kind", ["bit-flip", "zeroed-page", "truncation"])
def test_other_kinds_damage_every_file(kind: str) -> None:
    files = {"model.safetensors": WEIGHTS, **OTHERS}
    bucket = Kept(**files)
    damage(bucket, kind)
    assert bucket.stored.keys() == files.keys()
    assert all(bucket.stored[name] != content for name, content in files.items())


@pytest.mark.parametrize("files", [OTHERS, {}])
def test_where_nothing_is_left_to_damage_it_is_refused(files: dict[str, bytes]) -> None:
    bucket = Kept(**files)
    listed = ", ".join(files) or "nothing"
    with pytest.raises(Refused, match=rf"record\.json lists {listed}, of which other-numbers is for none; choose another kind"):
        damage(bucket)
    assert not bucket.stored


@pytest.mark.parametrize(("most", "refused"), [(len(WEIGHTS) * 2, False), (len(WEIGHTS) * 2 - 1, True), (1, True)])
def test_more_than_it_may_hold_in_memory_is_refused_before_anything_is_uploaded(
    monkeypatch: pytest.MonkeyPatch, most: int, refused: bool
) -> None:
    monkeypatch.setattr(training_data, "MOST_BYTES", most)
    bucket = Kept(a=WEIGHTS, b=WEIGHTS)
    if not refused:
        damage(bucket)
        assert list(bucket.stored) == ["a", "b"]
        return
    with pytest.raises(Refused, match=rf"what record\.json lists has more than {most} bytes"):
        damage(bucket)
    assert not bucket.stored


def test_a_safetensors_file_without_numbers_is_said() -> None:
    with pytest.raises(StorageFailed, match=r"model\.safetensors: \d+ bytes are no safetensors file with numbers of 4 bytes"):
        damage(Kept(**{"model.safetensors": WEIGHTS[:-400]}))


def test_what_is_refused_leaves_nothing_to_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    bucket = Kept(**OTHERS)
    monkeypatch.setattr(training_data, "Bucket", lambda _url: bucket)
    words = [bucket.url, "--buckets", str(tmp_path), "--record", RECORD, "--outcome", str(tmp_path / "kept" / "outcome.json")]
    assert main([*words, "--kind", "other-numbers", "--for", "60"]) == 3
    assert "choose another kind" in capfd.readouterr().out
    bucket.files.clear()  # whoever undoes reads nothing
    assert main([*words, "--undo"]) == 0
    assert json.loads(capfd.readouterr().out)["said"] == "nothing was overwritten"
    assert not bucket.stored
