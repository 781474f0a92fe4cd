"""Ephemeral containers and processes: what is asked of the kubelet, and what its answers mean."""

from __future__ import annotations

import subprocess

import pytest
from kubernetes import client

from faults.mechanisms.process_signal import ephemeral_container
from history.errors import TargetRefused
from kube.container_exec import LIST, parse
from kube.devices import device_of, healthy, index_of
from kube.ephemeral import user_of
from target.role import Process as Which
from testing.platform.fake_cluster import FakeCluster, local_target, node, pod


def test_the_ephemeral_container_satisfies_pod_security_restricted() -> None:
    made = ephemeral_container(pod("a"), "server", "image:1", Which(match="engine"), 30)
    assert made["securityContext"] == {
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert made["targetContainerName"] == "server"
    assert {"name": "AFTERSHOCK_PROCESS", "value": "engine"} in made["env"]
    assert {"name": "AFTERSHOCK_FOR_S", "value": "30"} in made["env"]
    assert not any("engine" in part for part in made["command"][:2])


def test_the_second_ephemeral_container_has_another_name() -> None:
    target = pod("a")
    names = []
    for _ in range(2):
        names.append(ephemeral_container(target, "server", "image:1", Which(match="engine"), 30)["name"])
        target.spec.ephemeral_containers = [client.V1EphemeralContainer(name=name) for name in names]
    assert len(set(names)) == 2


def test_the_user_is_the_one_that_the_kubelet_reports() -> None:
    target = pod("a", security_context=client.V1PodSecurityContext(run_as_user=7))
    assert user_of(target, "server") == 65532
    target.status.container_statuses[0].user = None
    assert user_of(target, "server") == 7
    target.spec.containers[0].security_context = client.V1SecurityContext(run_as_user=8)
    assert user_of(target, "server") == 8


def test_an_unknown_user_or_container_is_refused() -> None:
    target = pod("a")
    target.status.container_statuses[0].user = None
    with pytest.raises(TargetRefused, match="nobody says as which user"):
        user_of(target, "server")
    with pytest.raises(TargetRefused, match="it has no container 'vllm', it has server"):
        user_of(target, "vllm")


def test_the_list_of_processes_is_read_as_the_kernel_writes_it() -> None:
    with subprocess.Popen(["sleep", "300"]) as sleeper:
        try:
            text = subprocess.run(["sh", "-c", LIST], capture_output=True, text=True, check=True).stdout
        finally:
            sleeper.kill()
    (found,) = [process for process in parse(text) if process.pid == sleeper.pid]
    assert (found.name, found.command) in {("sleep", "sleep 300"), ("python", found.command)}
    assert found.state in {"S", "R", "D"}
    assert 0 <= found.age_s < 60


def test_odd_process_names_do_not_confuse() -> None:
    fields = " ".join(["1", "1", "1", "0", "-1", "4194304", *["0"] * 12, "9000", "0"])
    text = f"100.00 300.00\n42 (a (b) c) T {fields}\nengine --name a) b\n"
    (found,) = parse(text)
    assert (found.pid, found.name, found.state, found.command) == (42, "a (b) c", "T", "engine --name a) b")
    assert found.age_s == pytest.approx(10.0)


def test_the_device_is_the_one_that_the_kubelet_reports() -> None:
    platform = FakeCluster().platform(local_target())
    assert device_of(platform, pod("a"), "server") == "GPU-1"


def test_a_pod_with_two_devices_is_refused() -> None:
    target = pod("a")
    target.status.container_statuses[0].allocated_resources_status[0].resources *= 2
    with pytest.raises(TargetRefused, match=r"expected exactly one nvidia.com/gpu"):
        device_of(FakeCluster().platform(), target, "server")


@pytest.mark.parametrize(("device", "index"), [("GPU-0", "0"), ("GPU-12", "12"), ("3", "3")])
def test_the_index_of_a_device(device: str, index: str) -> None:
    assert index_of(device) == index


def test_a_uuid_is_no_index() -> None:
    with pytest.raises(TargetRefused, match="its id holds no number"):
        index_of("GPU-8f0c7a3e-1111-2222-3333-444455556666")


def test_devices_of_a_node() -> None:
    sick = node("gpu-a", "zone-a", gpus=2)
    sick.status.allocatable = {"nvidia.com/gpu": "1"}
    assert healthy(sick, "nvidia.com/gpu") == (1, 2)
    assert healthy(node("cpu-a", "zone-a"), "nvidia.com/gpu") == (0, 0)
