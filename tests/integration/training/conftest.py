"""A real S3 server (versitygw) on 127.0.0.1, with a bucket whose versions are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from testing.training.gang import Gang
from workloads.storage.bucket import create, s3_store
from workloads.storage.s3 import S3Store
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server

BUCKET = "checkpoints"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def server(tmp_path: Path, credentials: None) -> Iterator[S3Server]:
    with S3Server(tmp_path / "s3") as server:
        create(server.url(BUCKET), wait_s=60)
        yield server


@dataclass
class Bucket:
    """A prefix of the bucket, with the address that trainers take."""

    server: S3Server
    url: str
    store: S3Store

    def path(self, key: str) -> Path:
        """The file below the server, to be damaged as a disk would."""
        return self.server.path_of(BUCKET, f"run/{key}")


@pytest.fixture
def bucket(server: S3Server) -> Bucket:
    url = server.url(BUCKET, "run")
    return Bucket(server, url, s3_store(url))


@pytest.fixture
def gang(tmp_path: Path, bucket: Bucket) -> Iterator[Gang]:
    gang = Gang(tmp_path, stores=bucket.url)
    yield gang
    gang.end()


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the whole state of two ranks that nothing disturbed, saved to a volume."""
    gang = Gang(tmp_path_factory.mktemp("reference"))
    gang.finish()
    return str(gang.summary().final_digest)
