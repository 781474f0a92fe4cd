"""The S3 store against a real server: what the code relies on, and every refusal."""

from __future__ import annotations

import concurrent.futures

import pytest

from tests.integration.training.conftest import BUCKET, Bucket
from workloads.storage.bucket import main as bucket_main
from workloads.storage.bucket import s3_store
from workloads.storage.errors import ObjectDamaged, ObjectMissing, StorageError, StoreRefused, StoreUnavailable
from workloads.storage.server import S3Server
from workloads.storage.store import open_store


def test_objects_come_back_and_old_ones_stay_as_versions(bucket: Bucket) -> None:
    store = bucket.store
    store.preflight()
    store.put("a/x", b"one")
    store.put("a/x", b"two")
    assert store.get("a/x") == b"two"
    store.delete("a/x")
    store.delete("never")
    assert store.listing() == []
    with pytest.raises(ObjectMissing, match="a/x"):
        store.get("a/x")
    marker, *kept = store.versions("a/x")
    assert marker.deleted
    assert [store.get_version("a/x", v.version_id) for v in kept] == [b"two", b"one"]
    store.copy_version("a/x", kept[1].version_id)
    assert store.get("a/x") == b"one"
    assert len(store.versions("a/x")) == 4


def test_a_listing_goes_through_every_page(bucket: Bucket) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: bucket.store.put(f"many/{i:04d}", b""), range(1005)))
    assert len(bucket.store.listing("many/")) == 1005


def test_of_many_creators_one_wins(bucket: Bucket) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: bucket.store.create("claim", str(i).encode()), range(16)))
    assert sum(won) == 1
    assert bucket.store.get("claim") == str(won.index(True)).encode()


def test_bit_rot_below_the_server_is_noticed_by_its_own_checksum(bucket: Bucket) -> None:
    bucket.store.put("rot", bytes(1000))
    bucket.path("rot").write_bytes(bytes(500) + b"\1" + bytes(499))
    with pytest.raises(ObjectDamaged, match="rot"):
        bucket.store.get("rot")


def _sentence(error: type[StorageError], url: str) -> str:
    with pytest.raises(error) as refusal:
        open_store(url).preflight()
    return str(refusal.value)


def test_what_is_wrong_is_said(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "create the bucket (python -m workloads.storage.bucket create)" in _sentence(StoreRefused, server.url("no-such-bucket"))
    s3_store(server.url("plain"))._client.create_bucket(Bucket="plain")
    assert "versioning of bucket plain is never enabled, expected Enabled" in _sentence(StoreRefused, server.url("plain"))
    open_store(server.url("plain"), versioning=False).preflight()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "check the credentials" in _sentence(StoreRefused, server.url(BUCKET))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "check the credentials" in _sentence(StoreRefused, server.url(BUCKET))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "set AWS_ACCESS_KEY_ID" in _sentence(StoreRefused, server.url(BUCKET))


def test_a_server_that_is_gone_is_an_outage(server: S3Server) -> None:
    url = server.url(BUCKET)
    server.stop()
    assert "cannot read the settings" in _sentence(StoreUnavailable, url)


def test_the_bucket_command(server: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.url("made")
    assert bucket_main(["create", url, url]) == 0
    open_store(url).preflight()
    assert bucket_main(["create", "file:///x"]) == 2
    server.stop()
    assert bucket_main(["create", url, "--wait", "0"]) == 1
    assert "Could not connect" in capsys.readouterr().err
