"""Everything that was found in a cluster, and what each workload was recognised as."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runner.discovery.cluster import Cluster
from runner.discovery.known.catalogue import catalogue
from runner.discovery.nodes import ACCELERATORS, Nodes, read_nodes, version_of
from runner.discovery.own_answers import asked_for_metrics
from runner.discovery.prometheus import Found, find_prometheus
from runner.discovery.reader import NODES, Gap, Reader
from runner.discovery.routes import Routes, read_routes
from runner.discovery.signs import Known, Match, Part
from runner.discovery.training_jobs import TrainingFound, read_training
from runner.discovery.workloads import Workload, read_workloads
from target.engines import ENGINES
from target.job_kinds.kind import Plain

Api = Literal["completions", "chat", "triton", ""]
CERTAIN = 3  # the weight of an image, a command or a metric: more than a label


@dataclass(frozen=True, eq=False)
class Recognised:
    """A workload, what it may be (the surest first), and the metrics that it is known to have."""

    workload: Workload
    matches: tuple[Match, ...]
    metrics: frozenset[str] = frozenset()

    @property
    def part(self) -> Part:
        """Which part of a platform it plays."""
        return self.matches[0].known.part

    @property
    def same_part(self) -> list[Match]:
        """What it may be of that part: an engine, and the platform that runs it."""
        return [one for one in self.matches if one.known.part == self.part]

    @property
    def known(self) -> Known:
        """What it most likely is."""
        return self.matches[0].known

    @property
    def adapter(self) -> str | None:
        """The engine that the suite knows by name; None where only gauges of that name say so, and not what else such an engine has."""
        named = next((one for one in self.same_part if one.known.adapter), None)
        if named is None or not named.known.adapter:
            return None
        sure = any(reason.startswith(("label", "image", "command")) for reason in named.reasons)
        return named.known.adapter if sure or ENGINES[named.known.adapter].served in self.metrics else None

    @property
    def api(self) -> Api:
        """What a load speaks with it."""
        return next((one.known.api for one in self.same_part if one.known.api), "")

    @property
    def path(self) -> str:
        """What its endpoint begins with."""
        return next((one.known.path for one in self.same_part if one.known.path), "")

    @property
    def names(self) -> str:
        """What it may be, for a person."""
        return ", ".join(dict.fromkeys(one.known.name for one in self.same_part))

    @property
    def reasons(self) -> list[str]:
        """Why, for a person."""
        return list(dict.fromkeys(reason for one in self.same_part for reason in one.reasons))

    @property
    def remarks(self) -> list[str]:
        """What a person should know of it."""
        return list(dict.fromkeys(one.known.remark for one in self.same_part if one.known.remark))


@dataclass(frozen=True)
class Survey:
    """What a cluster has, as far as it may be read. ``only``: the namespaces that a person named; empty: all were looked into."""

    cluster: Cluster
    reader: Reader
    only: tuple[str, ...]
    version: tuple[int, int] | None
    namespaces: Mapping[str, Plain]
    nodes: Nodes
    workloads: Sequence[Workload]
    recognised: Sequence[Recognised]
    routes: Routes
    prometheus: Sequence[Found]
    training: TrainingFound
    unasked: int  # engines whose metrics nobody could be asked for

    @property
    def gaps(self) -> list[Gap]:
        """What could not be read."""
        return self.reader.gaps

    def of_part(self, part: Part) -> list[Recognised]:
        """Return what plays a part, Kubernetes' own left out, the largest first: by accelerators, then by pods."""
        resources = tuple(self.nodes.devices) or ACCELERATORS
        found = [one for one in self.recognised if one.part == part and not one.workload.of_system]
        return sorted(found, key=lambda one: (-_sure(one), -size(one.workload, resources), one.workload.namespace, one.workload.name))


def size(workload: Workload, resources: Iterable[str]) -> int:
    """Return how large a workload is: a thousand for each accelerator that it holds, one for each pod."""
    return 1000 * len(workload.pods) * workload.requests_of(resources) + len(workload.pods)


def _sure(one: Recognised) -> bool:
    return one.matches[0].weight >= CERTAIN


def take(cluster: Cluster, only: Sequence[str] = ()) -> Survey:
    """Look at a cluster, in the namespaces ``only`` (empty: in all). Nothing is changed. Raises TargetRefused as :func:`open_cluster`."""
    reader = Reader(cluster.platform, only, cluster.namespace)
    namespaces, nodes = reader.namespaces, read_nodes(reader.of_cluster(NODES))
    workloads, routes = read_workloads(reader), read_routes(reader, nodes.addresses)
    first = _recognised(workloads, {})
    monitors = [(one.workload, one.matches[0]) for one in first if one.part == "prometheus"]
    prometheus = find_prometheus(reader, routes, monitors, workloads)
    others = {one.workload for one in first if one.part != "engine"}
    asked = asked_for_metrics(reader, [one for one in workloads if one not in others])
    metrics = {one: asked.get(one, frozenset()) | _scraped(prometheus, one) for one in workloads}
    recognised = _recognised(workloads, metrics)
    return Survey(
        cluster=cluster,
        reader=reader,
        only=tuple(only),
        version=version_of(cluster.platform),
        namespaces=namespaces,
        nodes=nodes,
        workloads=workloads,
        recognised=recognised,
        routes=routes,
        prometheus=prometheus,
        training=read_training(reader),
        unasked=sum(one.part == "engine" and not one.metrics for one in recognised),
    )


def _recognised(workloads: Iterable[Workload], metrics: Mapping[Workload, frozenset[str]]) -> list[Recognised]:
    known = catalogue()
    found = [(one, known.matches(one, metrics.get(one, frozenset())), metrics.get(one, frozenset())) for one in workloads]
    return [Recognised(one, tuple(matches), names) for one, matches, names in found if matches]


def _scraped(prometheus: Iterable[Found], workload: Workload) -> frozenset[str]:
    """Return the metrics of a workload that a Prometheus has."""
    return frozenset(
        labels["__name__"] for one in prometheus for labels in one.engines.by_workload.get(workload, ()) if "__name__" in labels
    )
