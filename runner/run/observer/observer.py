"""Looks at the platform while a run goes on: watches and a sampler, each in a thread. None of them can end the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from history.alert_plan import AlertPlan
from history.schema import API_SERVER, EventKind
from kube.client import Platform
from kube.lists.paging import METADATA_PAGE
from probes.prometheus.gauge import Gauge
from runner.event_log import RunLog
from runner.run.context import Observations
from runner.run.observer.alert_receiver import receiver_in
from runner.run.observer.alert_watch import AlertWatch
from runner.run.observer.cluster_watch import EndpointWatcher, KubeEventWatcher, NodeWatcher
from runner.run.observer.host_cpu import HostCpu
from runner.run.observer.pod_watch import PodWatcher
from runner.run.observer.sampler import Sampler, Sources
from runner.run.observer.watch import Selectors, Subject, Watch, Watcher, everything
from runner.run.observer.watched_nodes import WatchedNodes

NODES_STREAM_S = 5  # which nodes are worth watching is looked at so often
LISTED_S = 15.0  # until every watch has seen its first list


@dataclass(slots=True)
class Links:
    """Which watches are connected; the API server counts as down while any is not."""

    log: RunLog
    lost: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, up: bool) -> None:
        """Note the state of one watch."""
        with self._lock:
            before = bool(self.lost)
            (self.lost.discard if up else self.lost.add)(name)
            after = bool(self.lost)
        if before != after:
            self.log.event(EventKind.INSTRUMENT_DOWN if after else EventKind.INSTRUMENT_UP, API_SERVER, watch=name)

    @property
    def up(self) -> bool:
        """Whether the API server answers, as far as the watches know."""
        return not self.lost


def _machine(platform: Platform) -> HostCpu | None:
    group = platform.region.shared_machine
    return None if group is None else HostCpu(group)


class Observer:
    """Watches pods, nodes, endpoints and Events of the target's roles, and samples health, readiness and queue depth.

    ``nodes``: those that are to be hit or host the platform at the beginning; those that host it later are added.
    ``alerts``: the rules of Prometheus that are judged.
    """

    def __init__(
        self,
        platform: Platform,
        log: RunLog,
        observations: Observations,
        role: str,
        *,
        requests: bool = True,
        queue: Gauge | None = None,
        nodes: Iterable[str] = (),
        alerts: Sequence[AlertPlan] = (),
    ) -> None:
        self._halt = threading.Event()
        self.links = Links(log)
        self.pods = {role: PodWatcher(role, log, observations) for role in platform.target.roles}
        self._nodes = WatchedNodes(platform, nodes, self.pods)
        self._watches = [Watch(subject, watcher, self._halt, self.links.note) for subject, watcher in self._subjects(platform, log)]
        beside = tuple(name for name, one in platform.target.roles.items() if name != role and not one.of_run) if requests else ()
        queued = queue if requests else None  # what nobody needs is no instrument of the run
        sources = Sources(platform, role, self.pods, lambda: self.links.up, queued, _machine(platform), beside, leases=requests)
        self._sampler = Sampler(sources, log, observations, self._halt)
        self._alerts = AlertWatch(platform.region, alerts, log, self._halt) if alerts else None
        self._receiver = receiver_in(platform.region, alerts, log)

    def start(self) -> bool:
        """Start looking; return whether every watch has seen its first list within 15 s."""
        for watch in self._watches:
            watch.start()
        listed = all(watch.listed.wait(LISTED_S) for watch in self._watches)
        self._sampler.start()
        if self._alerts is not None:
            self._alerts.start()
        if self._receiver is not None:
            self._receiver.start()
        return listed

    def stop(self) -> None:
        """Stop looking; returns at once, the threads end by themselves."""
        self._halt.set()
        for watch in self._watches:
            watch.interrupt()
        if self._receiver is not None:
            self._receiver.stop()
        self._sampler.join(timeout=5)

    def _subjects(self, platform: Platform, log: RunLog) -> list[tuple[Subject, Watcher[Any]]]:
        target, core = platform.target, platform.core
        found: list[tuple[Subject, Watcher[Any]]] = []
        for name, role in target.roles.items():
            pods = Subject(f"pods of {name}", core.list_namespaced_pod, (role.namespace,), _labelled(role.selector))
            found.append((pods, self.pods[name]))
            if role.service:
                label = _labelled(f"kubernetes.io/service-name={role.service}")
                slices = Subject(f"endpoints of {name}", platform.discovery.list_namespaced_endpoint_slice, (role.namespace,), label)
                found.append((slices, EndpointWatcher(role.service, log)))
        nodes = Subject("nodes", core.list_node, selectors=self._nodes.selectors, stream_s=NODES_STREAM_S)
        found.append((nodes, NodeWatcher(log, platform.region.gpu_resource, self._nodes.concerns)))
        since = platform.server_time() - timedelta(seconds=1)
        return found + [(subject, KubeEventWatcher(log, since, self._nodes.concerns)) for subject in _events(platform)]


def _events(platform: Platform) -> Iterator[Subject]:
    """Yield the Events of the roles' namespaces, and those of nodes, which are in ``default``."""
    namespaces = {role.namespace for role in platform.target.roles.values()}
    for name in sorted(namespaces | {"default"}):
        of = everything if name in namespaces else _fields("involvedObject.kind=Node")
        yield Subject(f"events in {name}", platform.core.list_namespaced_event, (name,), of, METADATA_PAGE, new_only=True)


def _labelled(selector: str) -> Callable[[], Selectors]:
    return lambda: {"label_selector": selector}


def _fields(selector: str) -> Callable[[], Selectors]:
    return lambda: {"field_selector": selector}
