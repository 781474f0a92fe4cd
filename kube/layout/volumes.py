"""Volumes that can be had on one node or in one zone only: the pods that use them cannot run elsewhere.

Local and zonal disks say so by ``nodeAffinity`` of their PersistentVolume: https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kube.client import Platform, unless_forbidden, unless_gone
from kube.layout.of_pod import only_value
from kube.lists.nodes import HOSTNAME
from kube.objects import Pod

MOST = 8  # claims of one role that are looked at: its pods are alike
CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"


class Pinned(NamedTuple):
    """What volumes hold on one node, in words, and what could not be read."""

    by: tuple[str, ...]
    unread: tuple[str, ...] = ()


def pinned_by_volumes(platform: Platform, pods: Iterable[Pod]) -> Pinned:
    """Return which claims of ``pods`` are bound to one node. Raises ApiException."""
    found, unread = list[str](), list[str]()
    for namespace, claim in list(dict.fromkeys(_claims(pods)))[:MOST]:
        said = _bound(platform, namespace, claim)
        if said is None:
            unread.append(f"get {CLAIMS} in {namespace}, get {VOLUMES}")
        elif said:
            found.append(said)
    return Pinned(tuple(found), tuple(dict.fromkeys(unread)))


def _claims(pods: Iterable[Pod]) -> Iterator[tuple[str, str]]:
    for pod in pods:
        for volume in pod.spec.volumes or []:
            if volume.persistent_volume_claim is not None:
                yield pod.metadata.namespace, volume.persistent_volume_claim.claim_name


def _bound(platform: Platform, namespace: str, name: str) -> str | None:
    """Return to which node a claim's volume is bound, in words; empty: to none; None: nobody may read it."""
    read = platform.core
    claim = unless_gone(lambda: unless_forbidden(lambda: read.read_namespaced_persistent_volume_claim(name, namespace), None))
    volume_name = claim.spec.volume_name if claim and claim.spec else None
    if claim is None or not volume_name:
        return None if claim is None else ""
    volume = unless_gone(lambda: unless_forbidden(lambda: read.read_persistent_volume(volume_name), None))
    if volume is None or volume.spec is None:
        return None
    required = volume.spec.node_affinity.required if volume.spec.node_affinity else None
    node = only_value(required.node_selector_terms, {HOSTNAME}) if required else ""
    return f"PersistentVolumeClaim {name} lies on node {node}" if node else ""
