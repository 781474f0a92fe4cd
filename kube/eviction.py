"""Draining a node by the eviction API, as ``kubectl drain --ignore-daemonsets --delete-emptydir-data`` does.

chaosk8s's ``drain_nodes`` is not sound enough: a disruption budget's 429 ends it with the node half drained, it fails on pods without an
owner, it either leaves pods with an emptyDir or evicts DaemonSet pods that have one (a device plugin), and it looks every 10 s only.
"""

from __future__ import annotations

import time

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, UndoFailed
from kube.client import Platform, api_errors
from kube.objects import Pod
from kube.wait import until

MIRROR = "kubernetes.io/config.mirror"
PAUSE_S = 0.5  # between two tries of an eviction that a disruption budget forbids


def evictable(platform: Platform, node: str) -> list[Pod]:
    """Return the pods that a drain of ``node`` evicts: at work, owned by no DaemonSet and not by the kubelet. Raises ApiException."""
    return [pod for pod in platform.all_pods(node) if pod.status.phase in {"Running", "Pending"} and is_evictable(pod)]


def is_evictable(pod: Pod) -> bool:
    """Tell whether a drain evicts a V1Pod that is at work: no DaemonSet owns it, and it is not its kubelet's own."""
    owners = pod.metadata.owner_references or []
    return MIRROR not in (pod.metadata.annotations or {}) and not any(owner.kind == "DaemonSet" for owner in owners)


def without_controller(pods: list[Pod]) -> list[str]:
    """Return the names of those pods that nobody would make again."""
    return [
        f"{pod.metadata.namespace}/{pod.metadata.name}"
        for pod in pods
        if not any(owner.controller for owner in pod.metadata.owner_references or [])
    ]


def drain(platform: Platform, node: str, timeout_s: float) -> list[str]:
    """Evict every evictable pod of ``node`` and wait until each is gone; return their names.

    Raises:
        FaultFailed: a disruption budget held one back, or one did not end, within ``timeout_s``.

    """
    until_s = time.monotonic() + timeout_s
    with api_errors(f"drain node {node}", FaultFailed):
        pods = evictable(platform, node)
        for pod in pods:
            _evict(platform, pod, until_s)
        left = {pod.metadata.uid for pod in pods}
        gone = until(lambda: not left & {pod.metadata.uid for pod in evictable(platform, node)}, until_s - time.monotonic())
    if not gone:
        raise FaultFailed(f"node {node}: evicted pods are still there after {timeout_s:g} s; see their grace periods and finalizers")
    return sorted(pod.metadata.name for pod in pods)


def _evict(platform: Platform, pod: Pod, until_s: float) -> None:
    meta = pod.metadata
    try:
        evict(platform, meta.name, meta.namespace, meta.uid, until_s)
    except UndoFailed as error:
        raise FaultFailed(f"drain: {error}") from error


def evict(platform: Platform, name: str, namespace: str, uid: str, until: float) -> bool:
    """Evict exactly the pod with ``uid``; wait while a disruption budget forbids it (429). Returns False if it was gone already.

    Raises:
        UndoFailed: still forbidden at ``until`` (of :func:`time.monotonic`).
        ApiException: anything else.

    """
    options = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=uid))
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=namespace), delete_options=options)
    while True:
        try:
            platform.core.create_namespaced_pod_eviction(name, namespace, body)
        except ApiException as error:
            if error.status in {404, 409}:  # gone, or another pod of the same name
                return False
            if error.status != 429:
                raise
            if time.monotonic() >= until:
                raise UndoFailed(
                    f"pod {namespace}/{name}: a disruption budget still forbids its eviction; look at kubectl get pdb"
                ) from error
            time.sleep(PAUSE_S)
        else:
            return True
