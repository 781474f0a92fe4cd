"""What Kubernetes says of a node: whether it is ready and takes pods, and how many accelerators it offers."""

from __future__ import annotations

from dataclasses import dataclass

from kube.client import ready
from kube.objects import Node


@dataclass(frozen=True, slots=True)
class NodeState:
    """What is known of one node."""

    ready: bool
    schedulable: bool
    gpus: int
    capacity: int
    zone: str = ""  # empty: it names none


def node_state(node: Node, gpu_resource: str, zone_label: str = "") -> NodeState:
    """Return what a V1Node says of itself."""
    allocatable, capacity = node.status.allocatable or {}, node.status.capacity or {}
    gpus, total = int(allocatable.get(gpu_resource, 0)), int(capacity.get(gpu_resource, 0))
    zone = (node.metadata.labels or {}).get(zone_label, "")
    return NodeState(ready(node), not node.spec.unschedulable, gpus, total, zone)
