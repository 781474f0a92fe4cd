"""Damage to checkpoints as a fault: the program that goes beside a server is run for real, on a folder of this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from faults import checkpoints as damage
from faults.mechanisms import beside_server
from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from history.ledgers import LedgerWriter
from history.schema import EventKind
from probes import checkpoints as probe
from runner.cleanup.cleanup import clean_up, status
from safety import active_run
from safety.active_run import ActiveRun
from safety.data_damage import CHECKPOINTS
from safety.undo import undo_all
from target.object_store import ObjectStore
from testing.platform.fake_cluster import seeded
from testing.platform.fake_run import live_run
from testing.runs.beside_cluster import BesideCluster, locally
from testing.runs.fault_parts import spec
from testing.runs.killed_suite import kill_after, kill_program
from testing.runs.runner_cluster import serve
from testing.waiting import wait_for
from workloads.storage.sealed import digest, seal

TIMERS = SimpleNamespace(confirm_s=0.0, deadline_s=1.0, heal_s=0.0)
ARGUMENTS: dict[str, Any] = {"role": "storage", "for_s": 5, "count": 2}


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the run's job below a server: one finished checkpoint."""
    monkeypatch.setattr("kube.container_exec.output_of", locally)
    folder = tmp_path / "objects" / "training" / "runs" / "job" / "step-00000010.a0001"
    folder.mkdir(parents=True)
    content = bytes(range(256)) * 30
    (folder / "shard-0-of-1.safetensors").write_bytes(content)
    files = {"shard-0-of-1.safetensors": {"sha256": digest(content), "bytes": len(content)}}
    (folder / "manifest.json").write_bytes(seal("aftershock.checkpoint", 1, {"files": files}))
    return folder


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BesideCluster]:
    kept = str(tmp_path / "kept")
    cluster = BesideCluster(ObjectStore(buckets=str(tmp_path / "objects"), kept=kept, checkpoints="training/runs"))
    serve(monkeypatch, cluster)
    yield cluster
    cluster.end()


@pytest.fixture
def run(cluster: BesideCluster, tmp_path: Path) -> Any:
    targets = spec(damage.damage_checkpoints).resolve(cluster.platform(), ARGUMENTS, seeded(1))
    yield live_run(cluster, tmp_path, {"act": targets}, training=SimpleNamespace(job="job", ranks=1), timers=TIMERS, seed=3)
    active_run.activate(None)


def _kinds(run: ActiveRun) -> list[str]:
    return [orjson.loads(line)["kind"] for line in (run.run_dir / "events.test.jsonl").read_text().splitlines()]


def _finished(run: ActiveRun, step: int) -> None:
    """Let the job's ledger name a checkpoint of ``step``."""
    row = {"kind": "checkpoint", "t_ns": step, "attempt": 1, "rank": 0, "step": step, "host": "a", "pid": 1}
    name = f"step-{step:08}.a0001"
    LedgerWriter(run.run_dir, "training", f"test{step}").write(json.dumps(row | {"name": name}).encode() + b"\n")


def test_it_damages_what_is_there_and_the_evidence_tells(run: ActiveRun, cluster: BesideCluster, bucket: Path) -> None:
    with pytest.raises(NoData, match="names none"):
        probe.damaged("act", "storage")
    _finished(run, 10)
    assert not probe.damaged("act", "storage")
    before = (bucket / "shard-0-of-1.safetensors").read_bytes()
    said = damage.damage_checkpoints(**ARGUMENTS)
    assert sorted(said["targets"]) == ["s3-zone-b-0", "s3-zone-c-0"]
    while not probe.damaged("act", "storage"):
        pass  # bounded by pytest's time limit; each look is a process
    assert (bucket / "shard-0-of-1.safetensors").read_bytes() != before
    _finished(run, 20)
    with pytest.raises(NoData, match="No such file"):
        probe.damaged("act", "storage")
    wait_for(lambda: not cluster.at_work(), "its time is over: what is finished while it lasts is damaged too", 60)
    newest = bucket.with_name("step-00000020.a0001")
    shutil.copytree(bucket, newest)
    (newest / "shard-0-of-1.safetensors").write_bytes(before)
    assert not probe.damaged("act", "storage")  # what is newest now is whole
    assert EventKind.FAULT_START in _kinds(run)
    assert [undo.done for undo in run.journal.entries()] == [False, False]


def test_a_program_that_does_not_come_to_act_is_no_fault_done(run: ActiveRun, cluster: BesideCluster, bucket: Path) -> None:
    cluster.ends_at_once = True
    with pytest.raises(FaultFailed, match="what it stores could not be damaged: it ended with status 1"):
        damage.damage_checkpoints(**ARGUMENTS)
    assert EventKind.FAULT_START not in _kinds(run)


def test_a_job_without_a_checkpoint_is_no_fault_done(run: ActiveRun, bucket: Path) -> None:
    shutil.rmtree(bucket.parent)
    with pytest.raises(FaultFailed, match="no such folder, so there is no checkpoint yet"):
        damage.damage_checkpoints(**ARGUMENTS)


def test_a_program_beside_a_server_is_unprivileged_is_the_servers_user_and_has_no_credentials(
    run: ActiveRun, cluster: BesideCluster, bucket: Path
) -> None:
    damage.damage_checkpoints(**ARGUMENTS | {"for_s": 0.1})
    for added in cluster.added:
        assert (added["targetContainerName"], added["image"]) == ("s3", run.platform.target.suite.fault_image)
        assert added["env"] == [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}]
        assert (added["securityContext"]["runAsUser"], added["securityContext"]["runAsGroup"]) == (65532, 65532)
        assert added["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    undo_all(run)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"kind": "magic"}, ConfigError, "write one of bit-flip"),
        ({"for_s": 500}, ConfigError, "at most 120"),
        ({"for_s": 0}, ConfigError, "above 0"),
        ({"count": 3}, TargetRefused, "2 found, 3 needed"),
        ({"role": "decoy"}, ConfigError, "add roles.decoy.object_store"),
    ],
)
def test_what_cannot_work_is_refused_before(run: ActiveRun, change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        spec(damage.damage_checkpoints).resolve(run.platform, ARGUMENTS | change, seeded(1))


def test_a_run_without_a_training_job_is_refused(run: ActiveRun) -> None:
    run.plan.training = None  # type: ignore[misc]  # a plain stand-in for a plan
    with pytest.raises(TargetRefused, match="follows no training job"):
        damage.damage_checkpoints(**ARGUMENTS)


def _contents(bucket: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in bucket.iterdir()}


@pytest.fixture
def killed(run: ActiveRun, cluster: BesideCluster, bucket: Path, tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """What the disk held before; suite and program were killed right after the damage."""
    before = _contents(bucket)
    _finished(run, 10)
    kill_after(run, cluster, lambda: damage.damage_checkpoints(**ARGUMENTS | {"for_s": 100}), lambda: probe.damaged("act", "storage"))
    kill_program(tmp_path / "kept" / "aftershock-run-1-act.json.pid")
    assert _contents(bucket) != before
    return before


@pytest.mark.parametrize("pod_replaced", [False, True])
def test_heal_puts_every_original_back_after_suite_and_program_were_killed(
    run: ActiveRun, killed: dict[str, tuple[int, bytes]], bucket: Path, tmp_path: Path, *, pod_replaced: bool
) -> None:
    if pod_replaced:  # and somebody tidied the disk
        (tmp_path / "kept" / "aftershock-run-1-act.json.pid").unlink()
    assert "OPEN   restore-data s3-zone-b-0 (act)" in "\n".join(status(run.platform))
    healed = clean_up(run.platform)
    assert not healed.failed
    assert any("put back step-00000010.a0001/shard-0-of-1.safetensors" in line for line in healed.lines())
    assert _contents(bucket) == killed
    assert not (tmp_path / "kept" / "aftershock-run-1-act").exists()
    assert clean_up(run.platform).lines()[0].startswith("nothing was left")
    assert _contents(bucket) == killed


def test_a_program_that_outlives_the_suite_puts_the_originals_back_and_heal_only_says_so(
    run: ActiveRun, cluster: BesideCluster, bucket: Path, tmp_path: Path
) -> None:
    before = _contents(bucket)
    _finished(run, 10)
    run.plan.timers = SimpleNamespace(confirm_s=2.0, deadline_s=0.0, heal_s=0.0)  # type: ignore[misc,assignment]  # a plain stand-in
    kill_after(run, cluster, lambda: damage.damage_checkpoints(**ARGUMENTS | {"for_s": 2}), lambda: probe.damaged("act", "storage"))
    wait_for((tmp_path / "kept" / "aftershock-run-1-act.json").exists, "the undo")
    assert _contents(bucket) == before
    assert not clean_up(run.platform).failed
    assert _contents(bucket) == before


def test_the_standby_puts_the_originals_back_after_suite_and_program_were_killed(
    run: ActiveRun, cluster: BesideCluster, bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _contents(bucket)
    _finished(run, 10)
    monkeypatch.setattr(beside_server, "START_S", 4.0)
    kill_after(run, cluster, lambda: damage.damage_checkpoints(**ARGUMENTS | {"for_s": 2}), lambda: probe.damaged("act", "storage"))
    kill_program(tmp_path / "kept" / "aftershock-run-1-act.json.pid")
    assert _contents(bucket) != before
    wait_for((tmp_path / "kept" / "aftershock-run-1-act.json").exists, "the standby's undo")
    assert _contents(bucket) == before
    assert not clean_up(run.platform).failed


def test_nothing_is_damaged_without_a_standby(run: ActiveRun, cluster: BesideCluster, bucket: Path) -> None:
    shutil.rmtree(bucket.parents[3])
    with pytest.raises(FaultFailed, match="has the folder"):
        damage.damage_checkpoints(**ARGUMENTS)
    assert all("undo" in added["command"] for added in cluster.added)


def test_an_original_that_is_gone_is_said_and_the_journal_keeps_its_entries(
    run: ActiveRun, cluster: BesideCluster, killed: dict[str, tuple[int, bytes]], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "kept" / "aftershock-run-1-act")
    for _ in range(2):
        failed = "\n".join(clean_up(run.platform).failed)
        assert "pod ml-training/s3-zone-b-0: not known to be restored (a shard of each newest finished checkpoint" in failed
        assert "holds no original of it" in failed
        assert "by hand: copy each file of " in failed
    assert cluster.config_maps
    assert "OPEN   restore-data s3-zone-c-0 (act)" in "\n".join(status(run.platform))


def test_the_runs_own_heal_ends_a_program_that_is_at_work_and_puts_back_what_it_damaged(run: ActiveRun, bucket: Path) -> None:
    before = _contents(bucket)
    _finished(run, 10)
    damage.damage_checkpoints(**ARGUMENTS | {"for_s": 100})
    wait_for(lambda: probe.damaged("act", "storage"), "the damage")
    undone = undo_all(run)
    assert [text.partition(":")[0] for text in undone] == ["pod ml-training/s3-zone-c-0", "pod ml-training/s3-zone-b-0"]
    assert _contents(bucket) == before
    assert all(undo.done for undo in run.journal.entries())
    assert EventKind.FAULT_END in _kinds(run)


@pytest.mark.parametrize("after_s", [0.05, 0.5, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4])  # it acts a second after it began
def test_whenever_the_program_is_killed_its_undo_restores_to_the_byte(bucket: Path, tmp_path: Path, after_s: float) -> None:
    shard = bytes(range(256)) * 80_000  # 20 MB, so that writing takes a while
    (bucket / "shard-0-of-1.safetensors").write_bytes(shard)
    files = {"shard-0-of-1.safetensors": {"sha256": digest(shard), "bytes": len(shard)}}
    (bucket / "manifest.json").write_bytes(seal("aftershock.checkpoint", 1, {"files": files}))
    before = _contents(bucket)
    kept = ["--buckets", str(tmp_path), "--originals", str(tmp_path / "originals" / "act"), "--outcome", str(tmp_path / "outcome.json")]
    program = [sys.executable, "-m", CHECKPOINTS]
    with subprocess.Popen([*program, "damage", str(bucket.parent), "--for", "5", *kept]) as damaging:
        time.sleep(after_s)
        damaging.kill()
    for _ in range(2):
        subprocess.run([*program, "undo", str(bucket.parent), *kept], check=True)
        assert _contents(bucket) == before
