"""What Kubernetes says of a node: whether it is ready and takes pods, how many accelerators it offers, what it runs."""

from __future__ import annotations

from dataclasses import dataclass

from kube.client import ready
from kube.objects import Node

DRIVER = "nvidia.com/cuda.driver-version.full"  # labels of NVIDIA's GPU feature discovery, newer and older
OLDER_DRIVER = tuple(f"nvidia.com/cuda.driver.{part}" for part in ("major", "minor", "rev"))


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is known of one node."""

    ready: bool
    schedulable: bool
    gpus: int
    capacity: int
    zone: str = ""  # empty: it names none
    image: str = ""  # operating system, kernel, container runtime; empty: it does not say
    driver: str = ""  # of its GPUs, as NVIDIA's feature discovery labels it; empty: it does not


def node_state(node: Node, gpu_resource: str, zone_label: str = "") -> NodeState:
    """Return what a V1Node says of itself."""
    allocatable, capacity = node.status.allocatable or {}, node.status.capacity or {}
    gpus, total = int(allocatable.get(gpu_resource, 0)), int(capacity.get(gpu_resource, 0))
    zone = (node.metadata.labels or {}).get(zone_label, "")
    return NodeState(ready(node), not node.spec.unschedulable, gpus, total, zone, _image(node), _driver(node))


def _image(node: Node) -> str:
    info = getattr(node.status, "node_info", None)
    parts = (info.os_image, info.kernel_version, info.container_runtime_version) if info else ()
    return ", ".join(part for part in parts if part)


def _driver(node: Node) -> str:
    labels = node.metadata.labels or {}
    return labels.get(DRIVER) or ".".join(labels[part] for part in OLDER_DRIVER if part in labels)
