"""Damage to checkpoints as a fault: the shell line that goes into a server's container is run for real, on a folder of this machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from faults import checkpoints as damage
from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from history.ledgers import LedgerWriter
from history.schema import EventKind
from probes import checkpoints as probe
from safety import active_run
from safety.active_run import ActiveRun
from target import reference_platform
from testing.platform.fake_cluster import FakeCluster, live_run, pod, seeded
from testing.runs.fault_parts import spec
from workloads.storage.sealed import digest, seal

ROOT = Path(__file__).resolve().parents[3]
ARGUMENTS: dict[str, Any] = {"role": "storage", "for_s": 5, "count": 2}


def _locally(_platform: object, name: str, _namespace: str, _container: str, command: list[str]) -> str:
    if name == "s3-gone":
        raise NoData("pod ml-training/s3-gone: it is not there")
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise NoData(done.stderr)
    return done.stdout


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the run's job below a server: one finished checkpoint."""
    monkeypatch.setattr("kube.container_exec.output_of", _locally)
    monkeypatch.setattr(reference_platform, "PROJECT", str(ROOT))
    monkeypatch.setattr(reference_platform, "CHECKPOINTS", str(tmp_path / "runs"))
    folder = tmp_path / "runs" / "job" / "step-00000010.a0001"
    folder.mkdir(parents=True)
    content = bytes(range(256)) * 30
    (folder / "shard-0-of-1.safetensors").write_bytes(content)
    files = {"shard-0-of-1.safetensors": {"sha256": digest(content), "bytes": len(content)}}
    (folder / "manifest.json").write_bytes(seal("aftershock.checkpoint", 1, {"files": files}))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Any:
    cluster = FakeCluster()
    for name, node in (("s3-zone-b-0", "cpu-b"), ("s3-zone-c-0", "cpu-c")):
        cluster.pods["ml-training", name] = pod(name, node, namespace="ml-training", app="s3", owner="StatefulSet")
    targets = spec(damage.damage_checkpoints).resolve(cluster.platform(), ARGUMENTS, seeded(1))
    yield live_run(cluster, tmp_path, {"act": targets}, training=SimpleNamespace(job="job", ranks=1), seed=3)
    active_run.activate(None)


def _kinds(run: ActiveRun) -> list[str]:
    return [orjson.loads(line)["kind"] for line in (run.run_dir / "events.test.jsonl").read_text().splitlines()]


def _finished(run: ActiveRun, step: int) -> None:
    """Let the job's ledger name a checkpoint of ``step``."""
    row = {"kind": "checkpoint", "t_ns": step, "attempt": 1, "rank": 0, "step": step, "host": "a", "pid": 1}
    name = f"step-{step:08}.a0001"
    LedgerWriter(run.run_dir, "training", f"test{step}").write(json.dumps(row | {"name": name}).encode() + b"\n")


def test_it_damages_what_is_there_and_the_evidence_tells(run: ActiveRun, bucket: Path) -> None:
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
    assert not probe.damaged("act", "storage")  # what is newest now is whole
    assert EventKind.FAULT_START in _kinds(run)
    assert [undo.done for undo in run.journal.entries()] == [False, False]


def test_a_server_that_cannot_be_reached_is_no_fault_done(run: ActiveRun, bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_platform, "command", lambda *_: "exit 1; (")
    with pytest.raises(FaultFailed, match="what it stores could not be damaged"):
        damage.damage_checkpoints(**ARGUMENTS)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"kind": "magic"}, ConfigError, "write one of bit-flip"),
        ({"for_s": 500}, ConfigError, "at most 120"),
        ({"for_s": 0}, ConfigError, "above 0"),
        ({"count": 3}, TargetRefused, "2 found, 3 needed"),
        ({"role": "decoy"}, ConfigError, "container is needed"),
    ],
)
def test_what_cannot_work_is_refused_before(run: ActiveRun, change: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        spec(damage.damage_checkpoints).resolve(run.platform, ARGUMENTS | change, seeded(1))


def test_a_run_without_a_training_job_is_refused(run: ActiveRun) -> None:
    run.plan.training = None  # type: ignore[misc]  # a plain stand-in for a plan
    with pytest.raises(TargetRefused, match="follows no training job"):
        damage.damage_checkpoints(**ARGUMENTS)
