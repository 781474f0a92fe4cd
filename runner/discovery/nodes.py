"""Zones and accelerators of the nodes, and where each is reached."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from kube.selection import CONTROL_PLANE
from target.job_kinds.kind import Plain

ZONES = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
"""Labels of a node's zone, the newest first: https://kubernetes.io/docs/reference/labels-annotations-taints/."""
ACCELERATORS = (
    "nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "habana.ai/gaudi", "google.com/tpu", "aws.amazon.com/neuron",
    "aws.amazon.com/neuroncore", "huawei.com/Ascend910",
)  # fmt: skip
"""Resources of device plugins, as their projects name them; MIG slices are nvidia.com/mig-…"""
MIG = "nvidia.com/mig-"


@dataclass(frozen=True)
class Nodes:
    """What nodes say. ``zones``, ``devices``: how many nodes, how many devices; ``addresses``: by node, the outer one first."""

    count: int = 0
    zone_label: str = ZONES[0]
    zones: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    control_plane: int = 0


def read_nodes(nodes: Iterable[Plain]) -> Nodes:
    """Return what V1Nodes (plain) say together."""
    found = list(nodes)
    labels = [one["metadata"].get("labels") or {} for one in found]
    label = next((name for name in ZONES if any(name in one for one in labels)), ZONES[0])
    devices: Counter[str] = Counter()
    for one in found:
        devices.update({name: int(amount) for name, amount in _allocatable(one).items() if is_accelerator(name) and str(amount).isdigit()})
    return Nodes(
        count=len(found),
        zone_label=label,
        zones=dict(sorted(Counter(one[label] for one in labels if label in one).items())),
        devices={name: count for name, count in devices.most_common() if count},
        addresses={one["metadata"]["name"]: address for one in found if (address := _address(one))},
        control_plane=sum(any(name in one for name in CONTROL_PLANE) for one in labels),
    )


def is_accelerator(resource: str) -> bool:
    """Tell whether an extended resource is an accelerator that is known."""
    return resource in ACCELERATORS or resource.startswith(MIG)


def version_of(platform: Platform) -> tuple[int, int] | None:
    """Return the API server's version, such as (1, 31); None: it does not say."""
    try:
        said = client.VersionApi(platform.api).get_code()
    except ApiException:
        return None
    numbers = [re.match(r"\d+", text or "") for text in (said.major, said.minor)]
    return (int(numbers[0][0]), int(numbers[1][0])) if numbers[0] and numbers[1] else None


def _allocatable(node: Plain) -> Mapping[str, str]:
    found: Mapping[str, str] = (node.get("status") or {}).get("allocatable") or {}
    return found


def _address(node: Plain) -> str:
    """Return a worker's address: the outer one if it has one."""
    if any(name in (node["metadata"].get("labels") or {}) for name in CONTROL_PLANE):
        return ""
    said = {one["type"]: one["address"] for one in (node.get("status") or {}).get("addresses") or []}
    return str(said.get("ExternalIP") or said.get("InternalIP") or "")
