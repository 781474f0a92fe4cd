"""Devices of a node (GPUs) and which of them a pod was given, as Kubernetes tells."""

from __future__ import annotations

import re

from history.errors import NoData, TargetRefused
from kube.client import Platform
from kube.container_exec import output_of
from kube.objects import Node, Pod

INDEX = re.compile(r"(?:GPU-)?(\d{1,3})")


def device_of(platform: Platform, pod: Pod, container: str | None) -> str:
    """Return the id of the device that ``pod`` was given: as the kubelet reports it, else as the container's environment says.

    Raises:
        TargetRefused: it has none, more than one, or nobody can tell.

    """
    found = [
        one.resource_id
        for status in pod.status.container_statuses or []
        for resource in status.allocated_resources_status or []
        if resource.name == platform.region.gpu_resource
        for one in resource.resources or []
    ] or _visible_in(platform, pod, container)
    if len(found) != 1:
        raise TargetRefused(
            f"pod {pod.metadata.name}: its devices are {found}, expected exactly one {platform.region.gpu_resource}; request one"
        )
    return str(found[0])


def _visible_in(platform: Platform, pod: Pod, container: str | None) -> list[str]:
    command = ["printenv", "NVIDIA_VISIBLE_DEVICES"]
    try:
        text = output_of(platform, pod.metadata.name, pod.metadata.namespace, container or pod.spec.containers[0].name, command)
    except NoData as error:
        raise TargetRefused(
            f"pod {pod.metadata.name}: neither its status nor its environment says which device it has ({error})"
        ) from error
    return [part.strip() for part in text.split(",") if part.strip()]


def healthy(node: Node, resource: str) -> tuple[int, int]:
    """Return a node's allocatable and total devices."""
    return int((node.status.allocatable or {}).get(resource, 0)), int((node.status.capacity or {}).get(resource, 0))


def index_of(device: str) -> str:
    """Return the number in a device's id, which the GPU driver needs. Raises TargetRefused: it has none (a UUID)."""
    match = INDEX.fullmatch(device)
    if match is None:
        raise TargetRefused(f"device {device}: its id holds no number; the GPU driver needs one, as in GPU-0")
    return match[1]
