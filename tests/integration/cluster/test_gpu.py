"""Workload and device plugin see the same device: lost for one, lost for both."""

from __future__ import annotations

import json
import subprocess

from testing.platform.cluster_driver import Cluster
from testing.waiting import wait_for

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "on-gpu"},
    "spec": {
        "containers": [
            {
                "name": "work",
                "image": "aftershock/cluster:dev",
                "command": ["sleep", "3600"],
                "resources": {"limits": {"nvidia.com/gpu": 1}},
            }
        ]
    },
}
SEE = "cat /dev/aftershock/$NVIDIA_VISIBLE_DEVICES/status"


def test_a_lost_gpu_fails_in_the_container_and_leaves_the_nodes_count(probe: Cluster) -> None:
    probe.await_node("gpu-a", ready=True, gpus_allocatable=2)
    probe.kubectl("apply", "-f", "-", stdin=json.dumps(POD))
    probe.kubectl("wait", "--for=condition=Ready", "pod/on-gpu", "--timeout=180s")
    device = probe.kubectl("exec", "on-gpu", "--", "sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES").strip()
    assert probe.kubectl("exec", "on-gpu", "--", "sh", "-c", SEE) == "ok\n"

    probe.run("gpu-fail", "gpu-a", device.removeprefix("GPU-"), "--for", "600s")
    lost = subprocess.run(probe.command("kubectl", "exec", "on-gpu", "--", "sh", "-c", SEE), capture_output=True, text=True, check=False)
    assert lost.returncode != 0
    assert "No such file or directory" in lost.stderr
    probe.await_node("gpu-a", gpus_allocatable=1)
    assert probe.kubectl("get", "node", "gpu-a", "-o", r"jsonpath={.status.capacity.nvidia\.com/gpu}") == "2"
    health = "jsonpath={.status.containerStatuses[0].allocatedResourcesStatus[0].resources[0].health}"
    wait_for(lambda: probe.kubectl("get", "pod", "on-gpu", "-o", health) == "Unhealthy", "the pod's device shown as Unhealthy", 60)

    probe.run("gpu-repair", "gpu-a", device.removeprefix("GPU-"))
    assert probe.kubectl("exec", "on-gpu", "--", "sh", "-c", SEE) == "ok\n"
    probe.await_node("gpu-a", gpus_allocatable=2)
    probe.kubectl("delete", "pod", "on-gpu", "--grace-period=0", "--force")


def test_a_gpu_comes_back_by_itself(probe: Cluster) -> None:
    probe.run("gpu-fail", "gpu-a", "0", "--for", "8s")
    status = probe.file_of("gpu-a", "/var/lib/aftershock-gpu/GPU-0/status")
    assert not status.exists()
    wait_for(status.exists, "the device's status file", 60)
    assert probe.node("gpu-a")["gpus"][0]["lost_until"] is None
