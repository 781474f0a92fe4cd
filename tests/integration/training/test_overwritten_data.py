"""Training data overwritten and restored as a fault: the programs that go beside a server are run for real, here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from faults import training_data
from history.errors import UndoFailed
from history.schema import EventKind
from probes import training_data as probe
from runner.cleanup.cleanup import clean_up, status
from safety import active_run
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments
from target.object_store import ObjectStore, Recorded, S3Access
from testing.platform.fake_cluster import seeded
from testing.platform.fake_run import live_run
from testing.runs.beside_cluster import BesideCluster, locally
from testing.runs.fault_parts import spec
from testing.runs.killed_suite import kill_after, kill_program
from testing.runs.runner_cluster import serve
from testing.waiting import wait_for
from tests.integration.training.conftest import BUCKET, Bucket
from workloads.storage.server import ACCESS_KEY, SECRET_KEY, S3Server
from workloads.training import data
from workloads.training.errors import RunRefused

ARGUMENTS: Arguments = {"role": "storage", "for_s": 100}


@pytest.fixture
def stored(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The data on a server of this machine, which stands for the one in the pod."""
    monkeypatch.setattr("kube.container_exec.output_of", locally)
    data.create(bucket.store, 64, 0)
    return bucket


@pytest.fixture
def cluster(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BesideCluster]:
    store = ObjectStore(
        buckets=str(server.objects),
        kept=str(tmp_path / "kept"),
        training_data=Recorded(folder=f"{BUCKET}/run", record=data.RECORD),
        s3=S3Access(port=server.port, secret="s3"),  # noqa: S106  a name
    )
    secrets = {("s3", "AWS_ACCESS_KEY_ID"): ACCESS_KEY, ("s3", "AWS_SECRET_ACCESS_KEY"): SECRET_KEY}
    cluster = BesideCluster(store, {"s3-zone-b-0": "cpu-b"}, secrets)
    serve(monkeypatch, cluster)
    yield cluster
    cluster.end()


@pytest.fixture
def outcome(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "aftershock-run-1-act.json"


@pytest.fixture
def run(cluster: BesideCluster, tmp_path: Path) -> Iterator[ActiveRun]:
    targets = spec(training_data.overwrite).resolve(cluster.platform(), ARGUMENTS, seeded(1))
    yield live_run(cluster, tmp_path, {"act": targets}, training=SimpleNamespace(job="job", ranks=1), seed=3)
    active_run.activate(None)


@pytest.fixture
def overwritten(run: ActiveRun, stored: Bucket) -> Bucket:
    assert not probe.damaged("act", "storage")
    assert training_data.overwrite("storage", 100)["targets"] == ["s3-zone-b-0"]
    wait_for(lambda: probe.damaged("act", "storage"), "the data are damaged")
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


def test_no_credential_stands_in_a_journal_an_event_or_a_manifest(run: ActiveRun, cluster: BesideCluster, overwritten: Bucket) -> None:
    training_data.restore("storage")
    written = [entry.model_dump_json() for entry in run.journal.entries()] + [str(one) for one in cluster.added]
    written += [path.read_text() for path in run.run_dir.glob("*.jsonl")] + [path.read_text() for path in run.run_dir.glob("kept/*.json")]
    assert len(written) > 4
    assert not [text for text in written if SECRET_KEY in text]
    [access, secret] = cluster.added[0]["env"][1:]
    assert access == {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "AWS_ACCESS_KEY_ID"}}}
    assert secret == {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "AWS_SECRET_ACCESS_KEY"}}}


def test_the_rollback_does_the_work_of_a_program_that_was_killed(run: ActiveRun, overwritten: Bucket, outcome: Path) -> None:
    kill_program(outcome.with_name(f"{outcome.name}.pid"))
    assert "restored dataset.safetensors" in training_data.restore("storage")["undone"][0]
    assert len(data.open_data(overwritten.url, 0)) == 64


def test_a_rollback_after_its_time_only_says_what_was_done(run: ActiveRun, stored: Bucket, outcome: Path) -> None:
    training_data.overwrite("storage", 0.1)
    wait_for(outcome.exists, "the data are restored")
    versions = stored.store.versions(data.FILE)
    assert "restored dataset.safetensors" in training_data.restore("storage")["undone"][0]
    assert stored.store.versions(data.FILE) == versions


def test_what_is_not_known_to_be_restored_is_said_with_what_to_do(
    run: ActiveRun, cluster: BesideCluster, overwritten: Bucket, outcome: Path
) -> None:
    kill_program(outcome.with_name(f"{outcome.name}.pid"))
    cluster.ends_at_once = True
    with pytest.raises(UndoFailed, match=r"s3-zone-b-0: not known to be restored .* status 1 .* by hand: copy that version of each"):
        training_data.restore("storage")
    assert not any(entry.done for entry in run.journal.entries())


@pytest.fixture
def killed(run: ActiveRun, cluster: BesideCluster, stored: Bucket) -> bytes:
    """The good data; the suite was killed right after they were overwritten."""
    good = stored.store.get(data.FILE)
    kill_after(run, cluster, lambda: training_data.overwrite("storage", 100), lambda: probe.damaged("act", "storage"))
    return good


@pytest.mark.parametrize("program", ["killed, too", "at work"])
def test_heal_restores_the_data_after_the_suite_was_killed(
    run: ActiveRun, killed: bytes, stored: Bucket, outcome: Path, program: str
) -> None:
    if program == "killed, too":
        kill_program(outcome.with_name(f"{outcome.name}.pid"))
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
    run: ActiveRun, cluster: BesideCluster, killed: bytes, stored: Bucket, outcome: Path
) -> None:
    kill_program(outcome.with_name(f"{outcome.name}.pid"))
    shutil.rmtree(stored.server.versions)
    stored.server.versions.mkdir()
    for _ in range(2):
        [failed] = clean_up(run.platform).failed
        assert failed.startswith(
            "pod ml-training/s3-zone-b-0: not known to be restored (the training data that dataset.json lists in s3://"
        )
        assert "none of its 1 versions is good; restore it from a replica or make it anew" in failed
        assert "by hand: copy that version" in failed
    assert cluster.config_maps
    assert "OPEN   restore-data s3-zone-b-0 (act)" in "\n".join(status(run.platform))


def test_nothing_overwritten_is_nothing_to_restore(run: ActiveRun) -> None:
    assert training_data.restore("storage") == {"undone": []}
