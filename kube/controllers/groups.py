"""Groups of pods that are made anew together: where a LeaderWorkerSet recreates groups, one pod's end is the end of its group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kube.client import Platform
from kube.controllers.kinds import Reference, read
from kube.controllers.owners import maker_of
from kube.objects import Pod

INDEX = "leaderworkerset.sigs.k8s.io/group-index"
Key = tuple[str, str]  # namespace and name of a pod


def mates_of(platform: Platform, pods: Iterable[Pod]) -> dict[Key, frozenset[Key]]:
    """Return for each of ``pods`` that is of a recreated group all pods of that group, itself among them. Raises ApiException.

    A LeaderWorkerSet that may not be read is taken to recreate its groups, which is what it does unless it says otherwise.
    """
    groups: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
    for pod in {_key(pod): pod for pod in pods}.values():
        maker, index = maker_of(pod), (pod.metadata.labels or {}).get(INDEX)
        if maker is not None and index is not None:
            groups[pod.metadata.namespace, maker.name, index].add(_key(pod))
    sets = {(namespace, name): _recreates(platform, namespace, name) for namespace, name, _ in groups}
    together = [frozenset(keys) for (namespace, name, _), keys in groups.items() if sets[namespace, name]]
    return {key: keys for keys in together for key in keys}


def with_mates(hit: Iterable[Key], mates: Mapping[Key, frozenset[Key]]) -> set[Key]:
    """Return ``hit`` and everything that is made anew with it."""
    return {key for one in hit for key in mates.get(one, frozenset({one}))}


def _recreates(platform: Platform, namespace: str, name: str) -> bool:
    found = read(platform, Reference("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", name), namespace)
    return found is None or found.recreates


def _key(pod: Pod) -> Key:
    return pod.metadata.namespace, pod.metadata.name
