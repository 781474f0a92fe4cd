"""What happens to the pods of one role, as events of the history."""

from __future__ import annotations

from dataclasses import dataclass, field

from history.schema import EventKind, Series
from kube.client import ready
from kube.objects import Pod
from runner.event_log import RunLog
from runner.run.context import Observations


@dataclass(frozen=True, slots=True)
class PodState:
    """What is known of one pod."""

    name: str
    node: str | None
    ready: bool
    running: frozenset[tuple[str, int]]  # (container, restarts) that were seen running


@dataclass(slots=True)
class PodWatcher:
    """Turns changes of pods into events. What is ready at the first list is recorded too (``before``): later events build on it."""

    role: str
    log: RunLog
    observations: Observations
    known: dict[str, PodState] = field(default_factory=dict)  # uid -> state
    pods: dict[str, Pod] = field(default_factory=dict)  # uid -> V1Pod, for the sampler
    _began: bool = False

    def listed(self, items: list[Pod]) -> None:
        """Take a whole list: what it lacks is gone."""
        there = {item.metadata.uid for item in items}
        for uid in set(self.known) - there:
            self._gone(uid)
        for item in items:
            if self._began:
                self.changed(item)
            else:
                self._first(item, state_of(item))
        self._began = True
        self._count()

    def changed(self, item: Pod) -> None:
        """Compare a pod with what is known of it."""
        before, now = self.known.get(item.metadata.uid), state_of(item)
        self._keep(item, now)
        if before is None:
            self._event(EventKind.POD_CREATED, now.name, uid=item.metadata.uid)
        if now.node and not (before and before.node):
            self._event(EventKind.POD_SCHEDULED, now.name, node=now.node)
        for container, restarts in sorted(now.running - (before.running if before else frozenset())):
            self._event(EventKind.POD_STARTED, now.name, container=container, restarts=restarts)
        if now.ready != bool(before and before.ready):
            kind = EventKind.POD_READY if now.ready else EventKind.POD_UNREADY
            self._event(kind, now.name, uid=item.metadata.uid, node=now.node)
            self._count()

    def deleted(self, item: Pod) -> None:
        """Note that a pod is gone."""
        if item.metadata.uid in self.known:
            self._gone(item.metadata.uid)
            self._count()

    def sample(self) -> None:
        """Record the number of ready pods now."""
        if self._began:
            self.log.sample(Series.READY_REPLICAS, self.observations.ready[self.role], role=self.role)

    def _first(self, item: Pod, state: PodState) -> None:
        """Take a pod that is there at the beginning: whether it is ready, and where, is the state that later events change."""
        self._keep(item, state)
        if state.ready:
            self._event(EventKind.POD_READY, state.name, uid=item.metadata.uid, node=state.node, before=True)

    def _keep(self, item: Pod, state: PodState) -> None:
        self.known[item.metadata.uid], self.pods[item.metadata.uid] = state, item

    def _gone(self, uid: str) -> None:
        state = self.known.pop(uid)
        self.pods.pop(uid, None)
        if state.ready:
            self._event(EventKind.POD_UNREADY, state.name, uid=uid, node=state.node)
        self._event(EventKind.POD_GONE, state.name, uid=uid, node=state.node)

    def _count(self) -> None:
        names = frozenset(state.name for state in self.known.values() if state.ready)
        self.observations.names[self.role], self.observations.ready[self.role] = names, len(names)
        self.sample()

    def _event(self, kind: EventKind, name: str, **detail: object) -> None:
        self.log.event(kind, name, None, role=self.role, **detail)


def state_of(pod: Pod) -> PodState:
    """Return what a V1Pod says of itself."""
    statuses = pod.status.container_statuses or []
    running = frozenset((one.name, one.restart_count) for one in statuses if one.state and one.state.running)
    return PodState(pod.metadata.name, pod.spec.node_name, ready(pod), running)
