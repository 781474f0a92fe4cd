"""What happens to nodes, to a Service's endpoints, and what Kubernetes itself says: as events of the history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from history.schema import EventKind
from kube.node_state import NodeState, node_state
from kube.objects import EndpointSlice, KubeEvent, Node
from runner.event_log import RunLog
from target.secrets.hiding import excerpt

Concerns = Callable[[str], bool]  # whether a node, by its name, has to do with the run


def any_node(_name: str) -> bool:
    """Let every node count."""
    return True


@dataclass(slots=True)
class NodeWatcher:
    """Readiness, cordons and accelerators of the nodes that concern the run."""

    log: RunLog
    gpu_resource: str
    concerns: Concerns = any_node
    known: dict[str, NodeState] = field(default_factory=dict)

    def listed(self, items: list[Node]) -> None:
        """Take a whole list."""
        for item in items:
            self.changed(item)

    def changed(self, item: Node) -> None:
        """Compare a node with what is known of it; a node seen for the first time makes no event."""
        name, now = item.metadata.name, node_state(item, self.gpu_resource)
        if not self.concerns(name):
            return
        before = self.known.get(name, now)
        self.known[name] = now
        if now.ready != before.ready:
            self.log.event(EventKind.NODE_READY if now.ready else EventKind.NODE_UNREADY, name)
        if now.schedulable != before.schedulable:
            self.log.event(EventKind.NODE_UNCORDONED if now.schedulable else EventKind.NODE_CORDONED, name)
        if now.gpus != before.gpus:
            self.log.event(EventKind.GPU_ALLOCATABLE, name, allocatable=now.gpus, capacity=now.capacity)

    def deleted(self, item: Node) -> None:
        """Note that a node is gone."""
        if self.known.pop(item.metadata.name, None):
            self.log.event(EventKind.NODE_UNREADY, item.metadata.name, deleted=True)


@dataclass(slots=True)
class EndpointWatcher:
    """Which pods a Service's ready endpoints name."""

    service: str
    log: RunLog
    slices: dict[str, frozenset[str]] = field(default_factory=dict)  # slice -> ready pods
    _began: bool = False

    def listed(self, items: list[EndpointSlice]) -> None:
        """Take a whole list."""
        before = self._ready()
        self.slices = {item.metadata.name: ready_endpoints(item) for item in items}
        if self._began:
            self._compare(before)
        self._began = True

    def changed(self, item: EndpointSlice) -> None:
        """Compare a slice with what is known of it."""
        before = self._ready()
        self.slices[item.metadata.name] = ready_endpoints(item)
        self._compare(before)

    def deleted(self, item: EndpointSlice) -> None:
        """Note that a slice is gone."""
        before = self._ready()
        self.slices.pop(item.metadata.name, None)
        self._compare(before)

    def _ready(self) -> frozenset[str]:
        return frozenset().union(*self.slices.values())

    def _compare(self, before: frozenset[str]) -> None:
        now = self._ready()
        for kind, pods in ((EventKind.ENDPOINT_OUT, before - now), (EventKind.ENDPOINT_IN, now - before)):
            for pod in sorted(pods):
                self.log.event(kind, pod, service=self.service)


def ready_endpoints(item: EndpointSlice) -> frozenset[str]:
    """Return the pods that a V1EndpointSlice names as ready (an unset condition means ready)."""
    found = [one for one in item.endpoints or [] if one.conditions is None or one.conditions.ready is not False]
    return frozenset(one.target_ref.name for one in found if one.target_ref and one.target_ref.name)


@dataclass(slots=True)
class KubeEventWatcher:
    """Kubernetes Events of the run's time; older ones, repetitions that were seen, and those of other nodes are left out."""

    log: RunLog
    since: datetime
    concerns: Concerns = any_node
    seen: set[tuple[str, int]] = field(default_factory=set)

    def listed(self, items: list[KubeEvent]) -> None:
        """Take a whole list."""
        for item in items:
            self.changed(item)

    def changed(self, item: KubeEvent) -> None:
        """Record an Event."""
        when = item.last_timestamp or item.event_time or item.metadata.creation_timestamp
        key = (item.metadata.uid, item.count or 1)
        if when is None or when < self.since or key in self.seen:
            return
        self.seen.add(key)
        about = item.involved_object
        if about.kind == "Node" and not self.concerns(about.name or ""):
            return
        self.log.event(
            EventKind.KUBE_EVENT,
            about.name or "",
            reason=item.reason,
            message=excerpt(item.message or "", 500),
            kind=about.kind,
            type=item.type,
        )

    def deleted(self, item: KubeEvent) -> None:
        """Nothing happens when an Event expires."""
