"""Evidence about GPUs: what Kubernetes and the pod's status say of a device."""

from __future__ import annotations

from history.errors import NoData
from history.plan import ResolvedTarget
from kube import live
from kube.clients import told
from kube.devices import healthy
from kube.objects import Node, Pod
from kube.select import read_target
from probes.pods import pods_of


def allocatable_dropped(activity: str) -> bool:
    """Tell whether the node of every device of ``activity`` offers fewer devices than it has. Raises NoData: no answer."""
    platform = live.require().platform
    with told(f"read the nodes of {activity}", NoData):
        for device in devices_of(activity):
            node: Node = platform.core.read_node(device.node or "")
            allocatable, total = healthy(node, platform.target.gpu_resource)
            if allocatable >= total:
                return False
    return True


def device_unhealthy(activity: str) -> bool:
    """Tell whether the status of every pod of ``activity`` calls its device Unhealthy (Kubernetes' feature ResourceHealthStatus).

    Raises:
        NoData: no answer, the pod is gone, or this Kubernetes does not report the health of devices.

    """
    lost = {device.name for device in devices_of(activity)}
    return all(_health(target, lost) == {"Unhealthy"} for target in pods_of(activity))


def devices_of(activity: str) -> list[ResolvedTarget]:
    """Return the devices among the targets of ``activity``. Raises NoData: there is none, so there is nothing to see."""
    devices = [target for target in live.require().targets_of(activity) if target.kind == "Device"]
    if not devices:
        raise NoData(f"{activity}: none of its targets is a device; use a probe that fits its fault")
    return devices


def _health(target: ResolvedTarget, devices: set[str]) -> set[str]:
    with told(f"read pod {target.name}", NoData):
        pod: Pod = read_target(live.require().platform, target)
    reported = [
        one
        for status in (pod.status.container_statuses or [] if pod else [])
        for resource in status.allocated_resources_status or []
        for one in resource.resources or []
    ]
    found = {one.health for one in reported if one.resource_id in devices}
    if not found:
        raise NoData(f"pod {target.namespace}/{target.name}: its status says nothing of the health of {sorted(devices)}")
    return found
