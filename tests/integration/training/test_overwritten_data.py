"""Training data overwritten and restored as a fault: the shell lines that go into a server's container are run for real, here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from faults import training_data
from history.errors import NoData, UndoFailed
from history.schema import EventKind
from probes import training_data as probe
from runner.cleanup.cleanup import clean_up, status
from safety import active_run
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments
from target import reference_platform
from testing.load.load_runs import wait_until
from testing.platform.fake_cluster import ROOT, pod, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import spec
from testing.runs.killed_suite import kill_after, kill_program
from testing.runs.runner_cluster import RunnerCluster, serve
from tests.integration.training.conftest import Bucket
from workloads.storage.server import ACCESS_KEY, SECRET_KEY
from workloads.training import data
from workloads.training.errors import RunRefused

ARGUMENTS: Arguments = {"role": "storage", "for_s": 100}


def _locally(_platform: object, _name: str, _namespace: str, _container: str, command: list[str], *, limit_s: float = 60) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode:
        raise NoData(done.stderr)
    return done.stdout


@pytest.fixture
def stored(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The data on a server of this machine, which stands for the one in the pod."""
    monkeypatch.setattr("kube.container_exec.output_of", _locally)
    monkeypatch.setattr(reference_platform, "PROJECT", str(ROOT))
    monkeypatch.setattr(reference_platform, "DATA_URL", bucket.url)
    monkeypatch.setattr(training_data, "outcome_file", lambda _name: str(tmp_path / "outcome.json"))
    monkeypatch.setattr(reference_platform, "DATA", str(bucket.path("")))
    monkeypatch.setenv("ROOT_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("ROOT_SECRET_ACCESS_KEY", SECRET_KEY)
    data.create(bucket.store, 64, 0)
    return bucket


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> RunnerCluster:
    cluster = RunnerCluster()
    serve(monkeypatch, cluster)
    return cluster


@pytest.fixture
def run(cluster: RunnerCluster, tmp_path: Path) -> Iterator[ActiveRun]:
    cluster.pods["ml-training", "s3-zone-b-0"] = pod("s3-zone-b-0", "cpu-b", namespace="ml-training", app="s3", owner="StatefulSet")
    targets = spec(training_data.overwrite).resolve(cluster.platform(), ARGUMENTS, seeded(1))
    yield live_run(cluster, tmp_path, {"act": targets}, training=SimpleNamespace(job="job", ranks=1), seed=3)
    active_run.activate(None)


@pytest.fixture
def overwritten(run: ActiveRun, stored: Bucket) -> Bucket:
    assert not probe.damaged("act", "storage")
    assert training_data.overwrite("storage", 100)["targets"] == ["s3-zone-b-0"]
    wait_until(lambda: probe.damaged("act", "storage"), "the data are damaged")
    with pytest.raises(RunRefused, match="SHA-256"):
        data.open_data(stored.url, 0)
    return stored


def _ended(run: ActiveRun) -> list[str]:
    rows = [orjson.loads(line) for line in (run.run_dir / "events.test.jsonl").read_text().splitlines()]
    return [str(row["detail"]) for row in rows if row["kind"] == EventKind.FAULT_END.value]


def test_the_rollback_ends_it_at_once_and_says_how_long_each_step_of_the_restore_took(run: ActiveRun, overwritten: Bucket) -> None:
    said = training_data.restore("storage", project_gb=500)["undone"]
    assert len(data.open_data(overwritten.url, 0)) == 64
    assert not probe.damaged("act", "storage")
    assert said[0].startswith("s3-zone-b-0: restored dataset.safetensors from version ")
    assert all(step in said[0] for step in ("detect ", "choose ", "restore ", "verify ", "MB/s; 500 GB would take "))
    assert [said[0] in how for how in _ended(run)] == [True]
    assert all(entry.done for entry in run.journal.entries())


def test_the_rollback_does_the_work_of_a_program_that_was_killed(run: ActiveRun, overwritten: Bucket, tmp_path: Path) -> None:
    os.kill(int((tmp_path / "outcome.json.pid").read_text()), signal.SIGKILL)
    assert "restored dataset.safetensors" in training_data.restore("storage")["undone"][0]
    assert len(data.open_data(overwritten.url, 0)) == 64


def test_a_rollback_after_its_time_only_says_what_was_done(run: ActiveRun, stored: Bucket, tmp_path: Path) -> None:
    training_data.overwrite("storage", 0.1)
    wait_until((tmp_path / "outcome.json").exists, "the data are restored")
    versions = stored.store.versions(data.FILE)
    assert "restored dataset.safetensors" in training_data.restore("storage")["undone"][0]
    assert stored.store.versions(data.FILE) == versions


def test_what_is_not_known_to_be_restored_is_said_with_what_to_do(
    run: ActiveRun, overwritten: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.kill(int((tmp_path / "outcome.json.pid").read_text()), signal.SIGKILL)
    monkeypatch.setattr(reference_platform, "PROJECT", "/no/such/folder")
    with pytest.raises(UndoFailed, match=r"s3-zone-b-0: not known to be restored .* python -m workloads.storage.restore --store"):
        training_data.restore("storage")
    assert not any(entry.done for entry in run.journal.entries())


@pytest.fixture
def killed(run: ActiveRun, cluster: RunnerCluster, stored: Bucket) -> bytes:
    """The good data; the suite was killed right after they were overwritten."""
    good = stored.store.get(data.FILE)
    kill_after(run, cluster, lambda: training_data.overwrite("storage", 100), lambda: probe.damaged("act", "storage"))
    return good


@pytest.mark.parametrize("program", ["killed, too", "at work"])
def test_heal_restores_the_data_after_the_suite_was_killed(
    run: ActiveRun, killed: bytes, stored: Bucket, tmp_path: Path, program: str
) -> None:
    if program == "killed, too":
        kill_program(tmp_path / "outcome.json.pid")
    assert stored.store.get(data.FILE) != killed
    assert "OPEN   restore-data s3-zone-b-0 (act)" in "\n".join(status(run.platform))
    healed = clean_up(run.platform)
    assert not healed.failed
    assert any(line.startswith("pod ml-training/s3-zone-b-0: ") and "versions read" in line for line in healed.lines())
    assert stored.store.get(data.FILE) == killed
    versions = stored.store.versions(data.FILE)
    assert clean_up(run.platform).lines()[0].startswith("nothing was left")
    assert stored.store.versions(data.FILE) == versions


def test_a_good_version_that_is_gone_is_said_and_the_journal_keeps_its_entry(
    run: ActiveRun, cluster: RunnerCluster, killed: bytes, stored: Bucket, tmp_path: Path
) -> None:
    kill_program(tmp_path / "outcome.json.pid")
    shutil.rmtree(stored.server.versions)
    stored.server.versions.mkdir()
    for _ in range(2):
        [failed] = clean_up(run.platform).failed
        assert failed.startswith(
            "pod ml-training/s3-zone-b-0: not known to be restored (the training data that dataset.json lists in s3://"
        )
        assert "none of its 1 versions is good; restore it from a replica or make it anew" in failed
        assert "python -m workloads.storage.restore --store" in failed
    assert cluster.config_maps
    assert "OPEN   restore-data s3-zone-b-0 (act)" in "\n".join(status(run.platform))


def test_nothing_overwritten_is_nothing_to_restore(run: ActiveRun) -> None:
    assert training_data.restore("storage") == {"undone": []}
