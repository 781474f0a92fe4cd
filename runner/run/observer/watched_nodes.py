"""Which nodes are worth watching in a run: those that are hit, and those that host the platform, as its pods come and go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kube.client import Platform
from kube.lists.nodes import HOSTNAME, NAMES, labels_of_nodes
from kube.objects import Named
from runner.run.observer.pod_watch import PodWatcher


class WatchedNodes:
    """``names`` are known before the run; the hosts of all that ``pods`` have seen are added to them and stay."""

    def __init__(self, platform: Platform, names: Iterable[str], pods: Mapping[str, PodWatcher]) -> None:
        self._platform, self._names, self._pods = platform, set(names), pods
        self._selected: frozenset[str] = frozenset()
        self._selectors: dict[str, str] | None = None

    def concerns(self, name: str) -> bool:
        """Tell whether a node is one of them."""
        return name in self._names

    def selectors(self) -> dict[str, str] | None:
        """Return what selects them all in one list, and few others; None: there is none yet. Raises ApiException."""
        states = [state for watcher in self._pods.values() for state in list(watcher.known.values())]
        self._names |= {state.node for state in states if state.node}
        if self._names != self._selected:
            names = frozenset(self._names)
            self._selectors = _selectors(labels_of_nodes(self._platform, names), self._platform.region.zone_label)
            self._selected = names
        return self._selectors


def _selectors(nodes: list[Named], zone_label: str) -> dict[str, str] | None:
    """Select ``nodes`` by their host names, many of them by their zones; all nodes where a label is missing."""
    if not nodes:
        return None
    label = HOSTNAME if len(nodes) <= NAMES else zone_label
    values = {(node.metadata.labels or {}).get(label, "") for node in nodes}
    return {} if "" in values else {"label_selector": f"{label} in ({','.join(sorted(values))})"}
