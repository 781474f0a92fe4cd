"""Training whose checkpoints stand in S3: kills, damage, an outage, two zones."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.training.gang import SLOWLY, Gang, loadable
from tests.integration.training.conftest import BUCKET, Bucket
from workloads.storage.bucket import create, s3_store
from workloads.storage.server import S3Server

STAGES = {
    "between two shards": "save.before_shard@rank=1@step=12@restart=0=sleep:1;save.after_shard@rank=0@step=12@restart=0=kill",
    "before the manifest": "save.before_manifest@step=12@restart=0=kill",
    "before the pointer": "save.after_manifest@step=12@restart=0=kill",
    "while a checkpoint is collected": "gc.during@step=6@restart=0=kill",
}
NEWEST = "step-00000012.a0001"


@pytest.mark.parametrize("failpoints", STAGES.values(), ids=STAGES.keys())
def test_a_kill_at_a_stage_of_a_save(gang: Gang, bucket: Bucket, reference: str, failpoints: str) -> None:
    assert -9 in gang.run(failpoints=failpoints)
    assert loadable(bucket.store)
    gang.finish(failpoints=failpoints)
    summary = gang.summary()
    assert summary.final_digest == reference
    assert summary.flawless


@pytest.mark.parametrize("where", ["on the server's disk", "by an overwriting client"])
def test_a_damaged_newest_checkpoint_costs_one_checkpoint(gang: Gang, bucket: Bucket, reference: str, where: str) -> None:
    assert -9 in gang.run(failpoints="step@rank=0@step=15@restart=0=kill", async_save=False)
    key = f"{NEWEST}/shard-1-of-2.safetensors"
    data = bytearray(bucket.store.get(key))
    data[len(data) // 2] ^= 4
    if where == "on the server's disk":
        bucket.path(key).write_bytes(data)
    else:
        bucket.store.put(key, bytes(data))
    gang.finish()
    summary = gang.summary()
    assert (summary.last.step, summary.last.depth) == (6, 1)
    assert summary.final_digest == reference


def test_an_outage_of_the_store_stops_no_step(gang: Gang, bucket: Bucket, reference: str) -> None:
    ranks = gang.launch(**SLOWLY)
    gang.until(lambda: gang.rows("checkpoint"), ranks)
    bucket.server.stop()
    gang.until(lambda: any(store["problem"] for row in gang.rows("checkpoint") for store in row["stores"]), ranks)
    bucket.server.start()
    assert gang.wait(ranks) == [0, 0], gang.log.read_text()
    summary = gang.summary()
    assert len(summary.attempts) == 1
    assert summary.final_digest == reference
    assert "Could not connect" in gang.log.read_text()


def test_a_start_waits_for_the_store(gang: Gang, bucket: Bucket) -> None:
    bucket.server.stop()
    ranks = gang.launch(store_wait_s=120)
    ranks[0].join(0.5)
    bucket.server.start()
    assert gang.wait(ranks) == [0, 0], gang.log.read_text()


def test_with_a_store_a_zone_the_loss_of_one_costs_nothing(tmp_path: Path, bucket: Bucket, reference: str) -> None:
    with S3Server(tmp_path / "zone-b") as other:
        url = other.url(BUCKET, "run")
        create(url, wait_s=60)
        gang = Gang(tmp_path, stores=f"{bucket.url},{url}")
        assert -9 in gang.run(failpoints="step@rank=1@step=15@restart=0=kill", async_save=False)
        assert [m.step for m in loadable(s3_store(url))] == [m.step for m in loadable(bucket.store)] == [12, 6]
        bucket.server.stop()
        gang.finish()
        summary = gang.summary()
        assert (summary.last.step, summary.last_lost_steps) == (12, 2)
        assert summary.final_digest == reference
        problems = {store["url"]: bool(store["problem"]) for store in gang.rows("checkpoint")[-1]["stores"]}
        assert sorted(problems.values()) == [False, True], "which zone lacks the newest checkpoint stands in the ledger"
