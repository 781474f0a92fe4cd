"""Room for what a fault displaces, looked for on as few nodes as it takes: a large cluster has thousands, each with its pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from kube.client import PARALLEL, Platform, ready
from kube.disruption.eviction import is_evictable
from kube.nodes import HOSTNAME
from kube.objects import Node, Pod
from kube.paging import PAGE, pages
from kube.scheduling import Room, permits, room

FIRST = 8  # nodes whose pods are asked for at first; four times as many follow each time


def find_room(platform: Platform, down: Collection[str]) -> Room:
    """Return what becomes of the pods on the nodes ``down``: nodes that may take them are asked for their pods until all have a place.

    What is said to find no room was held against all of them. Raises ApiException.
    """
    pods = _pods_on(platform, down)
    homeless = [pod for pod in pods if pod.status.phase in {"Running", "Pending"} and is_evictable(pod)]
    nodes: list[Node] = []
    open_nodes = (node for node in _open_nodes(platform, down, homeless) if any(permits(node, pod) for pod in homeless))
    count = FIRST if all(map(_apart_by_node, homeless)) else None  # who keeps away from a whole zone must know all of it
    while homeless and (more := list(islice(open_nodes, count))):
        nodes += more
        pods += _pods_on(platform, [node.metadata.name for node in more])
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


def _pods_on(platform: Platform, names: Collection[str]) -> list[Pod]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        return [pod for pods in pool.map(platform.all_pods, sorted(names)) for pod in pods]


def _apart_by_node(pod: Pod) -> bool:
    """Tell whether what a pod must keep away from is a matter of single nodes."""
    anti = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    terms = (anti.required_during_scheduling_ignored_during_execution if anti else None) or []
    return all(term.topology_key == HOSTNAME for term in terms)
