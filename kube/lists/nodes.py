"""Nodes, as few of them and as little of each as a question needs: a large cluster has thousands, each with the names of its images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

from kube.client import PARALLEL, Platform
from kube.lists.paging import PAGE, any_there, listed, metadata

if TYPE_CHECKING:
    from kube.objects import Named, Node

Ask = Callable[..., "list[Named]"]
HOSTNAME = "kubernetes.io/hostname"  # a kubelet sets it to the node's name, unless its cloud says otherwise
FEW = 16  # nodes that are asked for one by one
NAMES = 50  # in one selector: a proxy may refuse a longer address


def nodes_named(platform: Platform, names: Iterable[str]) -> list[Node]:
    """Return the V1Nodes of these names, ordered by name; those that are gone are left out. Raises ApiException."""
    return cast("list[Node]", _named(frozenset(names), partial(_whole, platform)))


def labels_of_nodes(platform: Platform, names: Iterable[str]) -> list[Named]:
    """Return the nodes of these names with their metadata at least, ordered by name; those that are gone are left out.

    Raises ApiException.
    """
    return _named(frozenset(names), partial(_metadata, platform))


def unschedulable_nodes(platform: Platform) -> list[Node]:
    """Return the V1Nodes that take no pods. Raises ApiException."""
    return cast("list[Node]", _whole(platform, field_selector="spec.unschedulable=true"))


def zones_of(platform: Platform, names: Collection[str]) -> dict[str, list[Named]]:
    """Return the zones of the nodes ``names`` with all their nodes, by name: zone -> nodes with metadata only. Raises ApiException."""
    label = platform.region.zone_label
    zones = sorted({zone for node in labels_of_nodes(platform, names) if (zone := (node.metadata.labels or {}).get(label))})
    return {zone: sorted(_metadata(platform, label_selector=f"{label}={zone}"), key=_name) for zone in zones}


def other_zones(platform: Platform, zones: Collection[str]) -> bool:
    """Tell whether the cluster has nodes in a zone that is none of ``zones``. Raises ApiException."""
    label = platform.region.zone_label
    others = f"{label},{label} notin ({','.join(sorted(zones))})" if zones else label
    return any_there(platform.core.list_node, label_selector=others)


def pods_at_work_on(platform: Platform, names: Iterable[str]) -> dict[str, list[Named]]:
    """Return the pods that have not ended on each of the nodes ``names``, with metadata only. Raises ApiException."""

    def on(name: str) -> list[Named]:
        selector = f"spec.nodeName={name},status.phase!=Succeeded,status.phase!=Failed"
        return metadata(platform.core.list_pod_for_all_namespaces, field_selector=selector)

    asked = sorted(names)
    with ThreadPoolExecutor(PARALLEL) as pool:
        return dict(zip(asked, pool.map(on, asked), strict=True))


def selectors_of(names: Iterable[str]) -> Iterator[str]:
    """Yield label selectors that together select the nodes of these names, where their host names are their names."""
    ordered = sorted(names)
    for begin in range(0, len(ordered), NAMES):
        yield f"{HOSTNAME} in ({','.join(ordered[begin : begin + NAMES])})"


def _named(names: frozenset[str], ask: Ask) -> list[Named]:
    """Ask for few nodes by name, each in a list of its own: that needs no other permission than many do, who are asked for by label."""
    selected = [node for selector in selectors_of(names) for node in ask(label_selector=selector)] if len(names) > FEW else []
    found = {node.metadata.name: node for node in selected if node.metadata.name in names}
    with ThreadPoolExecutor(PARALLEL) as pool:  # likewise a node whose host name is not its name
        single = pool.map(lambda name: ask(field_selector=f"metadata.name={name}"), sorted(names - found.keys()))
        return sorted([*found.values(), *(node for nodes in single for node in nodes)], key=_name)


def _whole(platform: Platform, **selector: str) -> list[Named]:
    return listed(platform.core.list_node, page=PAGE, **selector).items


def _metadata(platform: Platform, **selector: str) -> list[Named]:
    return metadata(platform.core.list_node, **selector)


def _name(node: Named) -> str:
    return node.metadata.name
