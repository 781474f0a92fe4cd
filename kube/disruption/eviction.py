"""Draining a node by the eviction API, as ``kubectl drain --ignore-daemonsets --delete-emptydir-data`` does.

chaosk8s's ``drain_nodes`` is not sound enough: a disruption budget's 429 ends it with the node half drained, it fails on pods without an
owner, it either leaves pods with an emptyDir or evicts DaemonSet pods that have one (a device plugin), and it looks every 10 s only.
"""

from __future__ import annotations

import time

from kubernetes.client.exceptions import ApiException

from history.errors import AftershockError, FaultFailed, UndoFailed
from kube.client import Platform, api_errors
from kube.disruption.budgets import eviction, refusal
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


def controller_of(pod: Pod) -> str | None:
    """Return the kind of the object that makes a V1Pod again (``Job``, ``ReplicaSet``); None: nobody would."""
    return next((owner.kind for owner in pod.metadata.owner_references or [] if owner.controller), None)


def replacement(pod: Pod) -> str:
    """Return in words who makes another pod once this V1Pod is gone."""
    kind = controller_of(pod)
    return f"its {kind} makes a new one" if kind else "nobody makes a new one: it has no controller"


def without_controller(pods: list[Pod]) -> list[str]:
    """Return the names of those pods that nobody would make again."""
    return [f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods if controller_of(pod) is None]


def drain(platform: Platform, node: str, timeout_s: float) -> list[str]:
    """Evict every evictable pod of ``node`` and wait until each is gone; return their names.

    Raises:
        FaultFailed: a disruption budget held one back, or one did not end, within ``timeout_s``.

    """
    until_s = time.monotonic() + timeout_s
    with api_errors(f"drain node {node}", FaultFailed):
        pods = evictable(platform, node)
        for pod in pods:
            evict(platform, pod.metadata.name, pod.metadata.namespace, pod.metadata.uid, until_s, raises=FaultFailed)
        left = {pod.metadata.uid for pod in pods}
        gone = until(lambda: not left & {pod.metadata.uid for pod in evictable(platform, node)}, until_s - time.monotonic())
    if not gone:
        raise FaultFailed(f"node {node}: evicted pods are still there after {timeout_s:g} s; see their grace periods and finalizers")
    return sorted(pod.metadata.name for pod in pods)


def evict(platform: Platform, name: str, namespace: str, uid: str, until_s: float, *, raises: type[AftershockError] = UndoFailed) -> bool:
    """Evict exactly the pod with ``uid``; wait while a disruption budget forbids it (429, or 500 for two).

    Returns False if it was gone already.

    Raises:
        AftershockError: of class ``raises``: still forbidden at ``until_s`` (of :func:`time.monotonic`).
        ApiException: anything else.

    """
    body, said = eviction(name, namespace, uid), ""

    def answer() -> int:
        """Return 0 while a budget forbids it, else the status of the answer."""
        nonlocal said
        try:
            platform.core.create_namespaced_pod_eviction(name, namespace, body)
        except ApiException as error:
            said = refusal(error)
            if not said and error.status not in {404, 409}:  # gone; another pod of the same name
                raise
            return 0 if said else int(error.status)
        return 201

    status = until(answer, until_s - time.monotonic(), PAUSE_S)
    if not status:
        raise raises(f"pod {namespace}/{name}: a disruption budget still forbids its eviction ({said}); look at kubectl get pdb")
    return status == 201
