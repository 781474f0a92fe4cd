"""A pod's containers: where they have its volumes, how they are, and what our programs in them say."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
from kubernetes.client import V1Container, V1ContainerStatus

from kube.objects import Pod

SIDECARS = frozenset(
    {"istio-proxy", "linkerd-proxy", "queue-proxy", "daprd", "vault-agent", "cloud-sql-proxy", "kuma-sidecar", "kube-rbac-proxy"}
)
"""Containers of meshes and of Knative that are put beside an application; a native sidecar is an init container and none of these."""
USER = 65532
AS_NOBODY = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}  # a pod's
CONFINED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}  # a container's
DEFAULT = "kubectl.kubernetes.io/default-container"  # annotation: which container a person means


def main_container(pod: Pod, name: str | None = None) -> V1Container:
    """Return a V1Pod's container called ``name``; else the one that the pod's annotation names, else the first that is no sidecar."""
    containers, meant = pod.spec.containers, (pod.metadata.annotations or {}).get(DEFAULT)
    for wanted in (name, meant):
        found = next((one for one in containers if wanted and one.name == wanted), None)
        if found is not None:
            return found
    return next((one for one in containers if one.name not in SIDECARS), containers[0])


def names_of(pod: Pod) -> str:
    """Return the names of a V1Pod's containers for a person: those that are sidecars are called so."""
    native = [f"{one.name} (a native sidecar)" for one in pod.spec.init_containers or [] if one.restart_policy == "Always"]
    return ", ".join([*(f"{one.name} (a sidecar)" if one.name in SIDECARS else one.name for one in pod.spec.containers), *native])


def path_of(pod: Pod, container: str | None, volume: str) -> str | None:
    """Return where a pod's container has a volume of that name; None if it has none."""
    mounts = [mount for one in pod.spec.containers if one.name == container for mount in one.volume_mounts or []]
    return next((mount.mount_path for mount in mounts if mount.name == volume), None)


def status_of(pod: Pod, container: str | None) -> V1ContainerStatus | None:
    """Return what the kubelet says of a pod's container; None while it says nothing."""
    return next((one for one in pod.status.container_statuses or [] if one.name == container), None)


def id_of(pod: Pod, container: str) -> str:
    """Return the id of a pod's container as its runtime has it, without the runtime's name; empty while the kubelet names none."""
    status = status_of(pod, container)
    return (status.container_id or "").rpartition("://")[2] if status else ""


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
