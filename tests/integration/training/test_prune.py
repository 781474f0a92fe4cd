"""Old runs leave a versioned bucket for good; what is young, wanted or foreign stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.training.conftest import BUCKET
from workloads.storage.bucket import s3_store
from workloads.storage.server import S3Server
from workloads.training.checkpoint.prune import main, prune

LATER = timedelta(hours=1)


def test_old_runs_go_with_all_their_versions(server: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = server.url(BUCKET, "runs")
    store = s3_store(url)
    for run in ("first", "second", "third"):
        store.put(f"{run}/attempts/a0001.json", b"{}")
        store.put(f"{run}/step-00000010.a0001/shard-0-of-1.safetensors", b"12345")
        store.put(f"{run}/latest.json", b"10")
        store.put(f"{run}/latest.json", b"20")
        if run == "second":
            store.put("second/notes.txt", b"mine")
        if run == "first":
            store.delete("first/latest.json")
    assert main([url, "--keep", "0"]) == 0  # all are younger than a day
    assert "0 runs removed" in capsys.readouterr().out
    done = prune(store, 1, datetime.now(UTC) + LATER)
    assert (done.removed, done.left) == (("first",), ("second",))
    assert done.freed_bytes == len(b"{}") + len(b"12345") + len(b"10") + len(b"20")
    assert {version.key.partition("/")[0] for version in store.every_version()} == {"second", "third"}
    assert len(store.versions("third/latest.json")) == 2
    assert main([url.replace(BUCKET, "nowhere")]) == 2
