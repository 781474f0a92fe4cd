"""Whose pods these are: by what their owners are called, and by the chain of owner references up to who says how many there should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.client import Platform
from kube.controllers.kinds import Controller, Reference, read
from kube.objects import Pod

ABOVE = frozenset({"Deployment", "Rollout", "LeaderWorkerSet", "JobSet", "Pod"})
"""Owners of controllers that are the unit which people scale; a Pod is the leader of a LeaderWorkerSet's group."""
HASHED = {"pod-template-hash": ("Deployment", "apps/v1"), "rollouts-pod-template-hash": ("Rollout", "argoproj.io/v1alpha1")}
"""Label of a pod -> who made its ReplicaSet, whose name ends with that label's value."""
LABELLED = {
    "leaderworkerset.sigs.k8s.io/name": ("LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1"),
    "jobset.sigs.k8s.io/jobset-name": ("JobSet", "jobset.x-k8s.io/v1alpha2"),
}
"""Label of a pod -> what its value names."""


def owner_of(pod: Pod) -> Reference | None:
    """Return who makes a V1Pod again; None: nobody would."""
    owners = [one for one in pod.metadata.owner_references or [] if one.controller]
    return next((Reference(one.api_version, one.kind, one.name) for one in owners), None)


def maker_of(pod: Pod) -> Reference | None:
    """Return who stands behind a V1Pod by names alone, without asking: the Deployment of its ReplicaSet, the set of its group."""
    owner, labels = owner_of(pod), pod.metadata.labels or {}
    if owner is None:
        return None
    for label, (kind, version) in HASHED.items():
        if owner.kind == "ReplicaSet" and (ending := labels.get(label)) and owner.name.endswith(f"-{ending}"):
            return Reference(version, kind, owner.name.removesuffix(f"-{ending}"))
    found = (Reference(version, kind, labels[label]) for label, (kind, version) in LABELLED.items() if label in labels)
    return next(found, owner)


def found_by_owner(platform: Platform, namespace: str, pods: Iterable[Pod]) -> list[Controller]:
    """Return the controllers of ``pods``, each once, by name. Those that are gone or may not be read are left out. Raises ApiException."""
    named = {(maker_of(pod), owner_of(pod)) for pod in pods}
    found: dict[Reference, Controller] = {}
    for maker, owner in sorted(named, key=str):
        for controller in _first(platform, namespace, maker, owner):
            found[controller.reference] = controller
    return [found[reference] for reference in sorted(found)]


def _first(platform: Platform, namespace: str, maker: Reference | None, owner: Reference | None) -> Iterator[Controller]:
    """Yield who stands behind a pod by name, if that is there; else the top of its chain, if it says a number."""
    for start in dict.fromkeys((maker, owner)):
        controller = _top(platform, namespace, start) if start else None
        if controller is not None and controller.wanted is not None:
            yield controller
            return


def _top(platform: Platform, namespace: str, start: Reference) -> Controller | None:
    """Climb from ``start`` to who is scaled by people."""
    here = read(platform, start, namespace)
    if here is None or here.owner is None or not (here.owner.kind in ABOVE or here.wanted is None):
        return here
    above = _top(platform, namespace, here.owner)
    return here if above is None or above.wanted is None else above
