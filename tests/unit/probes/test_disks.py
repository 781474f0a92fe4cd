"""A volume that its kernel has read-only, told from one that can be written, and from none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from history.errors import NoData
from kube import live
from kube.select import pod_target
from probes import disks
from tests.support.fake_cluster import live_run
from tests.support.runner_cluster import RunnerCluster

LINE = "30 25 7:8 /volumes/pvc-1 /data {},relatime - xfs /dev/loop8 rw\n"


@pytest.fixture(autouse=True)
def cluster(tmp_path: Path) -> Iterator[RunnerCluster]:
    made = RunnerCluster()
    pods = [made.pods["ml-serving", name] for name in ("inference-a", "inference-b")]
    for pod in pods:
        pod.spec.containers[0].name = "server"
        pod.spec.containers[0].volume_mounts = [client.V1VolumeMount(name="data", mount_path="/data")]
    live_run(made, tmp_path, {"act": [pod_target(pod, "", "") for pod in pods]})
    yield made
    live.activate(None)


def mounted(monkeypatch: pytest.MonkeyPatch, **tables: str) -> None:
    monkeypatch.setattr(disks, "output_of", lambda _platform, pod, *_: tables[pod.replace("-", "_")])


def test_every_target_must_have_it_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, inference_a=LINE.format("ro"), inference_b=LINE.format("rw"))
    assert not disks.read_only("act", "inference", "data")
    mounted(monkeypatch, inference_a=LINE.format("ro"), inference_b=LINE.format("ro"))
    assert disks.read_only("act", "inference", "data")


def test_a_volume_that_is_not_there_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, inference_a="", inference_b="")
    with pytest.raises(NoData, match="has no volume 'data' mounted"):
        disks.read_only("act", "inference", "data")
    with pytest.raises(NoData, match="has no volume 'date' mounted"):
        disks.read_only("act", "inference", "date")
