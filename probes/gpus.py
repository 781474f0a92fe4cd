"""Evidence about GPUs: what Kubernetes offers of a node's devices."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.client import api_errors
from kube.devices import healthy
from safety import active_run


def allocatable_dropped(activity: str) -> bool:
    """Tell whether the node of every device of ``activity`` offers fewer devices than it has. Raises NoData: no answer."""
    platform = active_run.require().platform
    with api_errors(f"read the nodes of {activity}", NoData):
        for device in devices_of(activity):
            allocatable, total = healthy(platform.node(device.node or ""), platform.target.gpu_resource)
            if allocatable >= total:
                return False
    return True


def devices_of(activity: str) -> list[ResolvedTarget]:
    """Return the devices among the targets of ``activity``. Raises NoData: there is none, so there is nothing to see."""
    devices = [target for target in active_run.require().targets_of(activity) if target.kind == "Device"]
    if not devices:
        raise NoData(f"{activity}: none of its targets is a device; use a probe that fits its fault")
    return devices
