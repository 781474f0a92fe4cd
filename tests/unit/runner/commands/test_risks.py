"""``python -m runner risks`` as a person calls it, over HTTP: what it finds, what it may not read, and that it changes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from kubernetes import client

from runner.__main__ import main
from testing.platform.fake_cluster import pod
from testing.platform.served_cluster import ServedCluster, served_cluster
from testing.runs.doctor_parts import full_cluster

PROBE = client.V1Probe(http_get=client.V1HTTPGetAction(path="/health", port=8000), period_seconds=1)


def ask(served: ServedCluster, folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    with served_cluster(served, folder, prometheus=None) as (_, file):
        monkeypatch.setattr(sys, "argv", ["runner", "risks", "--target", str(file), *words])
        return main()


def built_well(served: ServedCluster) -> None:
    """Let the pods of inference be as they should."""
    hook = client.V1Lifecycle(pre_stop=client.V1LifecycleHandler(sleep=client.V1SleepAction(seconds=3)))
    limits = client.V1ResourceRequirements(limits={"memory": "1Gi"})
    for (_, name), one in served.cluster.pods.items():
        if name.startswith("inference"):
            container = one.spec.containers[0]
            container.readiness_probe = container.liveness_probe = PROBE
            container.lifecycle, container.resources = hook, limits


@pytest.fixture
def served() -> ServedCluster:
    return ServedCluster(full_cluster())


def test_risks_are_found_in_a_live_platform_and_nothing_is_changed(
    served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    built_well(served)
    served.cluster.replicas["inference"] = 1
    for name in ("inference-b", "inference-c"):
        del served.cluster.pods["ml-serving", name]
    assert ask(served, tmp_path, monkeypatch) == 1
    said = capsys.readouterr().out
    assert "Deployment inference (role inference)\n  one-replica: It has one replica, a single point of failure." in said
    assert "proved by serving/replica-killed" in said
    assert "no-readiness-probe" not in said.partition("Deployment gateway")[0]
    assert served.changes == []


def test_as_json_with_the_field_to_look_at(
    served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(served, tmp_path, monkeypatch, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    [readiness] = [one for one in said["risks"] if one["name"] == "no-readiness-probe" and one["role"] == "inference"]
    assert readiness["field"] == "spec.template.spec.containers[].readinessProbe"
    assert {one["role"] for one in said["risks"]}.isdisjoint({"decoy", "trainer"})


def test_volumes_of_one_node_are_found_and_what_may_not_be_read_is_said(
    served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = client.V1PersistentVolumeClaimVolumeSource(claim_name="data-0")  # which this server does not serve
    claim = client.V1Volume(name="data", persistent_volume_claim=source)
    served.cluster.pods["ml-serving", "inference-a"] = pod(
        "inference-a", "gpu-a", volumes=[claim], node_selector={"kubernetes.io/hostname": "gpu-a"}
    )
    assert ask(served, tmp_path, monkeypatch) == 1
    said = capsys.readouterr().out
    assert "A replica may run on one node only (nodeSelector kubernetes.io/hostname: gpu-a)." in said
    assert "not read: this account may not get persistentvolumeclaims in ml-serving, get persistentvolumes" in said


def test_a_folder_of_experiments_that_is_not_there_is_refused(
    served: ServedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(served, tmp_path, monkeypatch, "--experiments", str(tmp_path / "none")) == 11
    assert "no such folder of experiments" in capsys.readouterr().err
