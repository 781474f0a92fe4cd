"""Nights in a bucket of a real S3 server: kept, read back, trimmed; a bucket out of reach is a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from history.errors import NightsError
from nights.of_session import night_of
from nights.shelf import INDEX, Shelf
from nights.store.place import open_store
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED
from workloads.storage.bucket import create
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server, free_port

BUCKET = "nights"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def server(tmp_path: Path, credentials: None) -> Iterator[S3Server]:
    with S3Server(tmp_path / "s3") as server:
        create(server.url(BUCKET), wait_s=60)
        yield server


def test_a_bucket_keeps_nights_as_a_folder_does(server: S3Server, tmp_path: Path) -> None:
    said: list[str] = []
    store = open_store(f"s3://{BUCKET}/staging?endpoint={server.endpoint}")
    shelf, run = Shelf(store, said.append), write_run(tmp_path / "runs", ENGINE_KILLED)
    night = shelf.keep([run])
    assert shelf.nights() == [night] == shelf.nights()
    assert said == []
    store.write(INDEX, b"torn")
    assert shelf.nights() == [night]
    assert "the index is torn" in said[0]
    assert shelf.rebuild()[0].runs == night.runs
    assert store.read("records/none.json") is None
    (trimmed,) = shelf.expire(shelf.nights(), whole=0, most=1)
    assert not trimmed.kept_whole
    assert not [name for name in store.names("runs") if "requests" in name]
    assert open_store(f"s3://{BUCKET}/other?endpoint={server.endpoint}").names("records") == []


def test_a_bucket_out_of_reach_is_a_sentence_and_the_runs_stay(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", ENGINE_KILLED)
    shelf = Shelf(open_store(f"s3://{BUCKET}?endpoint=http://127.0.0.1:{free_port()}"), print)
    with pytest.raises(NightsError, match=r"cannot list this bucket .*look at its address"):
        shelf.nights()
    assert night_of([run]).runs


def test_credentials_that_do_not_fit_are_named(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(NightsError, match=r"SignatureDoesNotMatch.*credentials"):
        open_store(f"s3://{BUCKET}?endpoint={server.endpoint}").names("records")
