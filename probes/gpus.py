"""Evidence about GPUs: what Kubernetes offers of a node's devices."""

from __future__ import annotations

from history.errors import NoData
from kube.client import api_errors
from kube.devices import healthy
from probes.targets import targets_of
from safety import active_run


def allocatable_dropped(activity: str) -> bool:
    """Tell whether the node of every device of ``activity`` offers fewer devices than it has. Raises NoData: no answer."""
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity}", NoData):
        for device in targets_of(activity, "Device"):
            allocatable, total = healthy(platform.node(device.node or ""), platform.region.gpu_resource)
            if allocatable >= total:
                return False
    return True
