"""Room for what a fault displaces, looked for on as few nodes as it takes: a large cluster has thousands, each with its pods."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import cast

from kubernetes.client import V1Pod

from kube.client import PARALLEL, Platform, ready
from kube.disruption.eviction import is_evictable
from kube.lists.nodes import HOSTNAME, pods_at_work_on
from kube.lists.paging import PAGE, listed, pages
from kube.objects import Named, Node, Pod
from kube.scheduling import Room, permits, room

REVISIONS = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")  # labels of a controller's template
FIRST = 8  # nodes whose pods are asked for at first; four times as many follow each time


def find_room(platform: Platform, down: Collection[str]) -> Room:
    """Return what becomes of the pods on the nodes ``down``: nodes that may take them are asked for their pods until all have a place.

    What is said to find no room was held against all of them. Raises ApiException.
    """
    of_nodes = Occupants(platform)
    with ThreadPoolExecutor(PARALLEL) as pool:
        pods = [pod for those in pool.map(platform.all_pods, sorted(down)) for pod in those]
    homeless = [pod for pod in pods if pod.status.phase in {"Running", "Pending"} and is_evictable(pod)]
    nodes: list[Node] = []
    open_nodes = (node for node in _open_nodes(platform, down, homeless) if any(permits(node, pod) for pod in homeless))
    count = FIRST if all(map(_apart_by_node, homeless)) else None  # who keeps away from a whole zone must know all of it
    while homeless and (more := list(islice(open_nodes, count))):
        nodes += more
        pods += of_nodes.on([node.metadata.name for node in more])
        found = room(down, nodes, pods)
        homeless[:] = [*found.without, *found.bound]  # only who still has no place decides which nodes are asked for next
        count = None if count is None else count * 4
    return room(down, nodes, pods)


def _open_nodes(platform: Platform, down: Collection[str], pods: Iterable[Pod]) -> Iterator[Node]:
    """Yield each node that takes pods and has the labels that one of ``pods`` selects, a page at a time."""
    seen = set(down)
    selectors = {",".join(f"{key}={value}" for key, value in sorted((pod.spec.node_selector or {}).items())) for pod in pods}
    for selector in [""] if "" in selectors else sorted(selectors):
        for page in pages(platform.core.list_node, page=PAGE, label_selector=selector):
            for node in page.items:
                if node.metadata.name not in seen and ready(node) and not node.spec.unschedulable:
                    seen.add(node.metadata.name)
                    yield node


class Occupants:
    """The pods at work on nodes that stay, of which only their requests count: one of each controller's revision is read whole.

    That a single pod was resized in place is not seen.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._whole: dict[Hashable, Pod] = {}  # revision -> one of its pods

    def on(self, names: Collection[str]) -> list[Pod]:
        """Return the pods at work on the nodes ``names``. Raises ApiException."""
        there = [(name, pod) for name, pods in pods_at_work_on(self._platform, names).items() for pod in pods]
        unknown = {revision: pod for _, pod in there if (revision := _revision(pod)) not in self._whole}
        with ThreadPoolExecutor(PARALLEL) as pool:
            for revision, found in zip(unknown, pool.map(self._read, unknown.values()), strict=True):
                if found:
                    self._whole[revision] = found[0]
        return [_like(self._whole[revision], pod, name) for name, pod in there if (revision := _revision(pod)) in self._whole]

    def _read(self, pod: Named) -> list[Pod]:
        """Return a pod whole, by a list that needs no other permission than those of nodes do; none: it has gone meanwhile."""
        selector = f"metadata.name={pod.metadata.name}"
        return listed(self._platform.core.list_namespaced_pod, pod.metadata.namespace, field_selector=selector).items


def _revision(pod: Named) -> Hashable:
    """Return what pods of one specification have in common; a pod without a controller is like no other."""
    meta, labels = pod.metadata, pod.metadata.labels or {}
    owner = next((one.uid for one in meta.owner_references or [] if one.controller), meta.uid)
    return meta.namespace, owner, *(labels.get(label) for label in REVISIONS)


def _like(whole: Pod, pod: Named, node: str) -> Pod:
    """Return a pod at work of which only the metadata are known, with the specification of another of its revision."""
    spec = whole.spec.model_copy(update={"node_name": node})
    return cast("Pod", V1Pod(metadata=pod.metadata, spec=spec, status=whole.status.model_copy(update={"phase": "Running"})))


def _apart_by_node(pod: Pod) -> bool:
    """Tell whether what a pod must keep away from is a matter of single nodes."""
    anti = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    terms = (anti.required_during_scheduling_ignored_during_execution if anti else None) or []
    return all(term.topology_key == HOSTNAME for term in terms)
