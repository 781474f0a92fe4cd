"""What containers of each image can run, as they see it: images differ, though their files come from one machine."""

from __future__ import annotations

import json

import pytest

from testing.platform.cluster_driver import Cluster

LOOK = """
import importlib.util, json, os, sys
found = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]
torch = [top for top in ("/usr", "/opt", "/root", sys.base_prefix) for _, folders, _ in os.walk(top) if "torch" in folders]
print(json.dumps({"found": found, "torch": sorted(set(torch))}))
"""
NAMES = ("faults", "runner", "workloads", "testing", "yaml", "pip", "kubernetes", "chaoslib", "locust", "torch", "mlflow", "boto3")
CAN = {
    "fault": {"faults"},
    "suite": {"faults", "runner", "workloads", "yaml", "kubernetes", "chaoslib", "locust", "boto3"},
    "platform": {"workloads", "yaml", "kubernetes", "torch", "mlflow", "boto3"},
    "stand-in": {"testing"},
}


def pod(image: str) -> dict[str, object]:
    container = {
        "name": "look",
        "image": f"aftershock/{image}:dev",
        "imagePullPolicy": "IfNotPresent",
        "workingDir": "/opt/aftershock",
        "command": ["python3", "-c", LOOK, *NAMES],
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"look-{image}"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


@pytest.mark.parametrize("image", CAN)
def test_a_container_sees_what_its_image_holds_and_nothing_of_another(probe: Cluster, image: str) -> None:
    probe.kubectl("apply", "-f", "-", stdin=json.dumps(pod(image)))
    probe.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", f"pod/look-{image}", "--timeout=120s")
    seen = json.loads(probe.kubectl("logs", f"look-{image}"))
    probe.kubectl("delete", "pod", f"look-{image}", "--now")
    assert set(seen["found"]) == CAN[image]
    assert bool(seen["torch"]) == ("torch" in CAN[image])
