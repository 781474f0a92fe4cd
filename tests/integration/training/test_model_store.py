"""A model in real S3 servers: published once, read without credentials, overwritten by the fault's own program, and restored."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from safety.data_damage import TRAINING_DATA
from testing.waiting import wait_for
from workloads.inference import fetch, publish, weights
from workloads.inference.settings import Settings
from workloads.inference.weights import WeightsRefused
from workloads.storage.bucket import s3_store
from workloads.storage.server import S3Server


@pytest.fixture
def store(tmp_path: Path, credentials: None) -> Iterator[S3Server]:
    with S3Server(tmp_path / "models") as server:
        publish.publish(server.url("models", "ring"))
        yield server


def url(server: S3Server) -> str:
    return f"{server.endpoint}/models/ring/{weights.WEIGHTS_FILE}"


def settings(folder: Path, *servers: S3Server, wait_s: float = 0.1) -> Settings:
    return Settings(model_dir=folder, model_urls=",".join(map(url, servers)), startup_timeout_s=wait_s)


def status(method: str, address: str, data: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, method=method), timeout=10) as answer:  # noqa: S310  made above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_who_has_no_credentials_reads_the_model_and_can_do_nothing_else(store: S3Server) -> None:
    assert status("GET", url(store)) == 200
    assert status("PUT", url(store), b"other") == 403
    assert status("DELETE", url(store)) == 403
    assert status("GET", f"{store.endpoint}/models?list-type=2") == 403


def test_a_model_that_is_there_is_not_published_again_and_a_damaged_one_is(store: S3Server, tmp_path: Path) -> None:
    bucket = s3_store(store.url("models", "ring"))
    publish.publish(store.url("models", "ring"))
    assert len(bucket.versions(weights.WEIGHTS_FILE)) == 1
    bucket.put(weights.WEIGHTS_FILE, b"other")
    publish.publish(store.url("models", "ring"))
    fetch.bring(settings(tmp_path / "replica", store))
    assert weights.verified(tmp_path / "replica")


def test_weights_that_are_not_what_was_recorded_are_not_published(store: S3Server, tmp_path: Path) -> None:
    (tmp_path / weights.WEIGHTS_FILE).write_bytes(b"other")
    weights.write_record(tmp_path, weights.read_record(weights.SHIPPED))
    with pytest.raises(WeightsRefused):
        publish.publish(store.url("models", "ring"), tmp_path)


def test_overwritten_weights_are_refused_and_fetched_once_they_are_restored(store: S3Server, tmp_path: Path) -> None:
    about = [store.url("models", "ring"), "--record", publish.RECORD, "--outcome", str(tmp_path / "outcome.json")]
    program = [sys.executable, "-m", TRAINING_DATA, *about, "--buckets", str(store.objects)]
    overwrites = subprocess.Popen([*program, "--kind", "other-numbers", "--for", "20", "--seed", "1"])
    good = (weights.SHIPPED / weights.WEIGHTS_FILE).read_bytes()
    bucket = s3_store(store.url("models", "ring"))
    wait_for(lambda: bucket.get(weights.WEIGHTS_FILE) != good, "the weights are others")
    assert len(bucket.get(weights.WEIGHTS_FILE)) == len(good)
    with pytest.raises(WeightsRefused, match="these are other weights"):
        fetch.bring(settings(tmp_path / "replica", store))
    subprocess.run([*program, "--undo"], check=True, stdout=subprocess.DEVNULL)
    overwrites.wait(60)
    fetch.bring(settings(tmp_path / "replica", store, wait_s=60))
    assert weights.verified(tmp_path / "replica")
