"""Training data overwritten with damaged content on a real S3 server, and restored when the time is over or the program is told to end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from safety.data_damage import TRAINING_DATA
from testing.waiting import wait_for
from tests.integration.training.conftest import Bucket
from workloads.training import data
from workloads.training.errors import RunRefused


def start(bucket: Bucket, outcome: Path, for_s: float, kind: str = "bit-flip") -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", TRAINING_DATA, bucket.url, "--buckets", str(bucket.server.objects)]
    return subprocess.Popen([*program, "--record", data.RECORD, "--kind", kind, "--for", str(for_s), "--outcome", str(outcome)])


def refused(bucket: Bucket) -> bool:
    try:
        data.open_data(bucket.url, 0)
    except RunRefused:
        return True
    return False


@pytest.mark.parametrize("kind", ["bit-flip", "zeroed-page", "truncation"])
def test_what_was_overwritten_is_restored_when_the_time_is_over(bucket: Bucket, tmp_path: Path, kind: str) -> None:
    data.create(bucket.store, 64, 0)
    good = bucket.store.get(data.FILE)
    assert start(bucket, tmp_path / "outcome.json", 0.1, kind).wait(120) == 0
    versions = [bucket.store.get_version(one.key, one.version_id) for one in bucket.store.versions(data.FILE)]
    assert [one == good for one in versions] == [True, False, True]  # good again, damaged, good
    said = json.loads((tmp_path / "outcome.json").read_text())
    [restored] = [one for one in said["objects"] if one["problem"]]
    assert (restored["key"], restored["bytes"]) == (data.FILE, len(good))
    assert said["mb_per_s"] > 0


def test_what_was_overwritten_is_refused_and_restored_early_if_it_is_told_to_end(bucket: Bucket, tmp_path: Path) -> None:
    data.create(bucket.store, 64, 0)
    program = start(bucket, tmp_path / "outcome.json", 100)
    wait_for(lambda: refused(bucket), "the data are refused")
    program.send_signal(signal.SIGTERM)
    assert program.wait(120) == 128 + signal.SIGTERM
    assert len(data.open_data(bucket.url, 0)) == 64
    assert (tmp_path / "outcome.json").exists()


def test_a_bucket_that_is_not_there_is_refused_before_anything_is_touched(bucket: Bucket, tmp_path: Path) -> None:
    arguments = [bucket.server.url("plain", "run"), "--record", data.RECORD, "--outcome", str(tmp_path / "outcome.json")]
    program = [sys.executable, "-m", TRAINING_DATA, *arguments, "--buckets", str(bucket.server.objects)]
    done = subprocess.run(program, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert "it answers 404 NoSuchBucket" in json.loads(done.stdout)["refused"]
    assert not (tmp_path / "outcome.json").exists()
