"""A pod's containers: where they have its volumes, how they are, and what our programs in them say."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from kubernetes.client import V1ContainerStatus

from kube.objects import Pod


def path_of(pod: Pod, container: str | None, volume: str) -> str | None:
    """Return where a pod's container has a volume of that name; None if it has none."""
    mounts = [mount for one in pod.spec.containers if one.name == container for mount in one.volume_mounts or []]
    return next((mount.mount_path for mount in mounts if mount.name == volume), None)


def status_of(pod: Pod, container: str | None) -> V1ContainerStatus | None:
    """Return what the kubelet says of a pod's container; None while it says nothing."""
    return next((one for one in pod.status.container_statuses or [] if one.name == container), None)


def objects_in(log: str | None) -> list[dict[str, Any]]:
    """Return the lines of a program's log that are JSON objects; others are left out, as one that is still being written."""
    found = []
    for line in (log or "").splitlines():
        with suppress(orjson.JSONDecodeError):
            parsed = orjson.loads(line)
            found += [parsed] if isinstance(parsed, dict) else []
    return found


def said_of(pod: Pod) -> str:
    """Return what the kubelet says of a pod that does not run: phase, reason and message of the pod or of its containers."""
    said = [pod.status.phase, pod.status.reason, pod.status.message]
    for status in pod.status.container_statuses or []:
        state = status.state.terminated or status.state.waiting if status.state else None
        said += [state.reason, state.message] if state else []
    return ", ".join(text.strip() for text in said if text)
