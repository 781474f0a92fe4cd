"""Point-in-time restore: detect, choose, restore, verify, resume, against a real server."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import pytest

from testing.training.gang import Gang
from tests.integration.training.conftest import Bucket
from workloads.storage.restore import NoGoodVersion, Wanted, main, restore, restore_record
from workloads.storage.sealed import digest
from workloads.training import data


@pytest.fixture
def dataset(bucket: Bucket) -> str:
    """Training data in the bucket; returns their digest."""
    data.create(bucket.store, 256, 0)
    return digest(bucket.store.get(data.FILE))


def test_good_data_are_left_as_they_are(bucket: Bucket, dataset: str) -> None:
    assert [o.problem for o in restore_record(bucket.store, data.RECORD)] == [None, None]
    assert len(bucket.store.versions(data.FILE)) == 1


@pytest.mark.parametrize("damage", ["overwritten", "deleted", "overwritten twice", "record overwritten", "both"])
def test_damaged_training_data_are_restored_and_training_goes_on(gang: Gang, bucket: Bucket, dataset: str, damage: str) -> None:
    store = bucket.store
    if damage in ("overwritten", "overwritten twice", "both"):
        store.put(data.FILE, b"x" * 1000)
    if damage == "overwritten twice":
        store.put(data.FILE, store.get(data.FILE)[:-1])
    if damage == "deleted":
        store.delete(data.FILE)
    if damage in ("record overwritten", "both"):
        store.put(data.RECORD, store.get(data.RECORD).replace(b"256", b"257"))
    gang.settings["data"] = bucket.url
    assert gang.run() == [2, 2]
    assert "restore a good version" in gang.log.read_text() or "restore them" in gang.log.read_text()

    outcomes = restore_record(store, data.RECORD)
    assert any(o.problem for o in outcomes)
    assert digest(store.get(data.FILE)) == dataset
    assert gang.run() == [0, 0]
    assert gang.summary().flawless


def test_the_newest_good_version_is_chosen(bucket: Bucket) -> None:
    for content in (b"good", b"bad", b"good", b"worse"):
        bucket.store.put("model", content)
    chosen = bucket.store.versions("model")[1].version_id
    outcome = restore(bucket.store, Wanted("model", digest(b"good")))
    assert (outcome.version_id, outcome.versions_read) == (chosen, 2)
    assert len(bucket.store.versions("model")) == 5


def test_nothing_good_is_said_and_nothing_changed(bucket: Bucket) -> None:
    bucket.store.put("model", b"bad")
    with pytest.raises(NoGoodVersion, match="none of its 1 versions is good; restore it from a replica"):
        restore(bucket.store, Wanted("model", digest(b"good")))
    assert len(bucket.store.versions("model")) == 1


def test_a_damaged_version_on_disk_is_passed_over(bucket: Bucket) -> None:
    bucket.store.put("model", b"good" * 100)
    bucket.store.put("model", b"good" * 100)
    bucket.path("model").write_bytes(b"goof" + b"good" * 99)
    outcome = restore(bucket.store, Wanted("model", digest(b"good" * 100)))
    assert outcome.versions_read == 2
    assert bucket.store.get("model") == b"good" * 100


def test_the_state_of_a_moment(bucket: Bucket) -> None:
    bucket.store.put("model", b"then")
    moment = datetime.now(UTC)
    assert restore(bucket.store, Wanted("model", before=moment)).problem is None
    bucket.store.put("model", b"later")
    bucket.store.put("model", b"now")
    outcome = restore(bucket.store, Wanted("model", before=moment))
    assert outcome.stored is not None
    assert datetime.fromisoformat(outcome.stored) <= moment
    assert bucket.store.get("model") == b"then"


def test_the_command_restores_a_checkpoint_and_resumes(gang: Gang, bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    assert not any(gang.run())
    record = "step-00000024.a0001/manifest.json"
    shard = "step-00000024.a0001/shard-0-of-2.safetensors"
    good = bucket.store.get(shard)
    bucket.store.put(shard, good[: len(good) // 2])
    before = len(bucket.store.versions(shard))

    assert main(["--store", bucket.url, "--record", record, "--dry-run"]) == 0
    assert len(bucket.store.versions(shard)) == before
    capsys.readouterr()

    assert main(["--store", bucket.url, "--record", record, "--project", "500", "--json", "--", sys.executable, "-c", "pass"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert bucket.store.get(shard) == good
    assert [bool(o["problem"]) for o in report["objects"]] == [False, True, False]
    assert report["mb_per_s"] > 0
    assert report["projected_s"] == pytest.approx(500_000 / report["mb_per_s"])
    assert report["resume_s"] > 0

    assert main(["--store", bucket.url, "--record", record, "--", sys.executable, "-c", "raise SystemExit(3)"]) == 1


def test_refusals(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    bucket.store.put("plain.json", b"{}")
    bucket.store.put("model", b"x")
    assert main(["--store", "file:///x", "--key", "a", "--sha256", "0"]) == 2
    assert main(["--store", bucket.url, "--key", "model"]) == 2
    assert main(["--store", bucket.url, "--record", "plain.json"]) == 1
    assert main(["--store", bucket.url, "--record", "missing.json"]) == 1
    err = capsys.readouterr().err
    assert "nothing says what is good; add --sha256 or --before" in err
    assert "Traceback" not in err
