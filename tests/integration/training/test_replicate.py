"""Replication between two real S3 servers by rclone, judged by what both hold; needs rclone on PATH."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.training.gang import Gang
from tests.integration.training.conftest import BUCKET, Bucket
from workloads.storage import replicate
from workloads.storage.bucket import create, s3_store
from workloads.storage.errors import StoreUnavailable
from workloads.storage.inventory import compare, take
from workloads.storage.restore import NoGoodVersion, Wanted, restore
from workloads.storage.sealed import digest
from workloads.storage.server import S3Server


@pytest.fixture
def replica(tmp_path: Path, bucket: Bucket) -> Iterator[Bucket]:
    with S3Server(tmp_path / "replica") as server:
        url = server.url(BUCKET, "run")
        create(url, wait_s=60)
        yield Bucket(server, url, s3_store(url))


def test_a_run_goes_on_from_the_replica_when_the_source_is_gone(tmp_path: Path, gang: Gang, bucket: Bucket, replica: Bucket) -> None:
    assert -9 in gang.run(failpoints="step@rank=0@step=15@restart=0=kill", async_save=False)
    before = replicate.check(bucket.url, replica.url)
    assert before.rpo_s > 0
    assert before.missing == tuple(bucket.store.listing())
    copied = replicate.copy(bucket.url, replica.url)
    after = replicate.check(bucket.url, replica.url)
    assert (after.equal, after.rpo_s, copied.objects) == (True, 0.0, after.objects)
    assert len(after.lags_s) == after.objects
    bucket.server.stop()
    gang.settings["stores"] = replica.url
    gang.finish()
    assert gang.summary().last.step == 12
    assert gang.summary().flawless


def test_what_others_speak_of_arrives_before_them(bucket: Bucket, replica: Bucket) -> None:
    for key in ("latest.json", "step-00000006.a0001/manifest.json", "step-00000006.a0001/shard-0-of-1.safetensors"):
        bucket.store.put(key, key.encode())
    replicate.copy(bucket.url, replica.url)
    held = take(replica.store)
    assert sorted(held, key=lambda key: held[key].stored, reverse=True) == sorted(held)


def test_a_change_and_a_deletion_are_in_the_replica_and_their_older_versions_too(bucket: Bucket, replica: Bucket) -> None:
    for key in ("a", "b"):
        bucket.store.put(key, b"first")
    replicate.copy(bucket.url, replica.url)
    bucket.store.put("a", b"other")
    bucket.store.delete("b")
    found = replicate.check(bucket.url, replica.url)
    assert (found.differing, found.extra) == (("a",), ("b",))
    replicate.copy(bucket.url, replica.url)
    assert replicate.check(bucket.url, replica.url).equal
    assert [replica.store.get_version("a", v.version_id) for v in replica.store.versions("a")] == [b"other", b"first"]
    assert replica.store.versions("b")[0].deleted


def test_damage_on_the_source_disk_is_not_copied_and_is_repaired_from_the_replica(bucket: Bucket, replica: Bucket) -> None:
    good = bytes(range(256)) * 40
    bucket.store.put("model", good)
    replicate.copy(bucket.url, replica.url)
    bucket.path("model").write_bytes(good[:-1] + b"\0")
    replicate.copy(bucket.url, replica.url)
    assert replicate.check(bucket.url, replica.url).differing == ("model",)
    assert replica.store.get("model") == good
    with pytest.raises(NoGoodVersion):
        restore(bucket.store, Wanted("model", digest(good)))
    outcome = restore(bucket.store, Wanted("model", digest(good)), replica=replica.url)
    assert outcome.version_id == "replica"
    assert bucket.store.get("model") == good
    assert replicate.check(bucket.url, replica.url).equal


def test_a_source_that_is_down_leaves_the_replica_as_it_is(bucket: Bucket, replica: Bucket) -> None:
    bucket.store.put("a", b"first")
    replicate.copy(bucket.url, replica.url)
    bucket.server.stop()
    with pytest.raises(StoreUnavailable, match="rclone from"):
        replicate.copy(bucket.url, replica.url)
    assert replica.store.get("a") == b"first"


def test_the_command(bucket: Bucket, replica: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    bucket.store.put("a", b"first")
    where = ["--source", bucket.url, "--replica", replica.url]
    assert replicate.main([*where, "--check"]) == 1
    assert replicate.main(where) == 0
    assert "1 objects, 5 bytes: the same; RPO of the replica 0.0 s" in capsys.readouterr().out
    assert replicate.main(["--source", "file:///x", "--replica", replica.url]) == 2


def test_an_empty_source_is_an_empty_inventory(bucket: Bucket) -> None:
    assert compare(take(bucket.store), {}).equal
