"""Volumes seen from inside their pods: read-only, full, failing, slow; and what proves nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes import client

from history.errors import NoData
from kube.selection import pod_target
from probes import disks
from testing.platform.fake_run import live_run
from testing.runs.runner_cluster import RunnerCluster

LINE = "30 25 7:8 /volumes/pvc-1 /data {},relatime - xfs /dev/loop8 rw\n"
OVER = "31 30 0:9 / /data/part rw - fuse.aftershock aftershock rw\n"
WHERE = ("act", "inference", "data")
FULL = "dd: failed to open '/data/x': No space left on device"
BROKEN = "dd: fsync failed for '/data/x': Input/output error"
Fake = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path) -> RunnerCluster:
    made = RunnerCluster()
    pods = [made.pods["ml-serving", name] for name in ("inference-a", "inference-b")]
    for pod in pods:
        pod.spec.containers[0].name = "server"
        pod.spec.containers[0].volume_mounts = [client.V1VolumeMount(name="data", mount_path="/data")]
    live_run(made, tmp_path, {"act": [pod_target(pod, "", "") for pod in pods]})
    return made


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Let the two pods have these tables of mounts."""

    def let(first: str, second: str) -> None:
        monkeypatch.setattr("kube.container_exec.output_of", lambda _platform, pod, *_: {"inference-a": first, "inference-b": second}[pod])

    return let


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Let attempts in the two pods end like this, the last of 20 at least; both have the suite's file system mounted over a part."""

    def let(first: str, second: str) -> None:
        def output(_platform: object, pod: str, _namespace: str, _container: str, command: list[str]) -> str:
            if command[0] == "cat":
                return LINE.format("rw") + OVER
            count, last = int(command[-1]), {"inference-a": first, "inference-b": second}[pod]
            return "10.00 10.01 written\n" * (count - 1) + last + "\n"

        monkeypatch.setattr("kube.container_exec.output_of", output)

    return let


def test_every_target_must_have_it_read_only(mounted: Fake) -> None:
    mounted(LINE.format("ro"), LINE.format("rw"))
    assert not disks.read_only(*WHERE)
    mounted(LINE.format("ro"), LINE.format("ro"))
    assert disks.read_only(*WHERE)


def test_a_volume_that_is_not_there_proves_nothing(mounted: Fake) -> None:
    mounted("", "")
    with pytest.raises(NoData, match="nothing is mounted where it has volume 'data'"):
        disks.read_only(*WHERE)
    with pytest.raises(NoData, match="has no volume 'date'"):
        disks.read_only("act", "inference", "date")
    with pytest.raises(NoData, match="0 attempts to write were made, expected 1"):
        disks.full(*WHERE)


def test_every_target_must_find_no_space(tried: Fake) -> None:
    tried(f"10.00 10.00 {FULL}", "10.00 10.01 written")
    assert not disks.full(*WHERE)
    tried(f"10.00 10.00 {FULL}", f"10.00 10.00 {BROKEN}")
    assert not disks.full(*WHERE)  # another error is no proof of this one
    tried(f"10.00 10.00 {FULL}", f"10.00 10.00 {FULL}")
    assert disks.full(*WHERE)


def test_one_io_error_in_twenty_attempts_is_enough_in_each_target(tried: Fake) -> None:
    tried(f"10.00 10.00 {BROKEN}", "10.00 10.01 written")
    assert not disks.failing(*WHERE)
    tried(f"10.00 10.00 {BROKEN}", f"10.00 10.00 {FULL}")
    assert not disks.failing(*WHERE)
    tried(f"10.00 10.00 {BROKEN}", f"10.00 10.00 {BROKEN}")
    assert disks.failing(*WHERE)


def test_write_and_sync_must_each_take_so_long_through_the_suites_file_system(tried: Fake) -> None:
    tried("10.00 11.00 written", "10.00 10.99 written")
    assert not disks.slow(*WHERE, latency_ms=500, folder="part")
    tried("10.00 11.00 written", f"10.00 11.00 {BROKEN}")
    assert not disks.slow(*WHERE, latency_ms=500, folder="part")
    tried("10.00 11.00 written", "10.00 11.00 written")
    assert disks.slow(*WHERE, latency_ms=500, folder="part")
    assert not disks.slow(*WHERE, latency_ms=500)  # slow by itself: nothing is mounted over the volume


def test_the_attempt_writes_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-c", disks.TRY, "sh", str(tmp_path), "2"], capture_output=True, text=True, check=True)
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["written", "written"]
    assert not list(tmp_path.glob(".aftershock-probe*"))
    done = subprocess.run(["sh", "-c", disks.TRY, "sh", str(tmp_path / "none"), "1"], capture_output=True, text=True, check=True)
    assert "No such file or directory" in done.stdout
