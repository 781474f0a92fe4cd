"""Whose series a Prometheus has: of which workloads, by pod or address, and of which cluster, by their labels. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probes.prometheus.answer import Labels
from probes.prometheus.series import NAMESPACES, pod_of
from runner.discovery.workloads import Workload

CLUSTER_LABELS = ("cluster", "cluster_name", "k8s_cluster", "k8s_cluster_name", "kubernetes_cluster", "clusterName", "region")
"""By which Prometheuses of several clusters tell them apart."""
SHOWN = 3


@dataclass(frozen=True)
class Whose:
    """``by_workload``: series of each workload; ``foreign``: those of no pod that was read."""

    by_workload: Mapping[Workload, tuple[Labels, ...]] = field(default_factory=dict)
    foreign: tuple[Labels, ...] = ()

    @property
    def ours(self) -> list[Labels]:
        """The series of workloads that were read."""
        return [one for found in self.by_workload.values() for one in found]

    @property
    def cluster(self) -> dict[str, str]:
        """The label by which this cluster's series differ from all others; empty: no label does, or there are no others."""
        for name in CLUSTER_LABELS:
            here, there = {one.get(name, "") for one in self.ours}, {one.get(name, "") for one in self.foreign}
            if len(here) == 1 and "" not in here and there and not here & there:
                return {name: here.pop()}
        return {}

    @property
    def shown(self) -> str:
        """By which labels and pods the series of others are known, for a person."""
        labels = Counter(f'{name}="{one[name]}"' for one in self.foreign for name in CLUSTER_LABELS if one.get(name))
        some = [text for text, _ in labels.most_common(SHOWN)] or ["no label that names a cluster"]
        pods = sorted({pod_of(one) or one.get("instance", "") for one in self.foreign} - {""})[:SHOWN]
        return ", ".join([*some, *(f"pod {pod}" for pod in pods)])


def whose(series: Iterable[Labels], workloads: Iterable[Workload]) -> Whose:
    """Return of which of ``workloads`` each of ``series`` is: by its pod, else by the address at which it was scraped."""
    all_of_them = list(workloads)
    by_pod = {(one.namespace, pod.name): one for one in all_of_them for pod in one.pods}
    homes: dict[str, set[Workload]] = defaultdict(set)
    for one in all_of_them:
        for pod in one.pods:
            homes[pod.address].add(one)
    found: dict[Workload, list[Labels]] = defaultdict(list)
    foreign: list[Labels] = []
    for labels in series:
        at = homes.get(labels.get("instance", "").rpartition(":")[0].strip("[]"), set())
        alone = next(iter(at)) if len(at) == 1 else None  # a node's own address is several workloads'
        owner = _by_pod(labels, by_pod) or alone
        if owner is None:
            foreign.append(labels)
        else:
            found[owner].append(labels)
    return Whose({one: tuple(those) for one, those in found.items()}, tuple(foreign))


def _by_pod(labels: Labels, by_pod: Mapping[tuple[str, str], Workload]) -> Workload | None:
    pod = pod_of(labels)
    spaces = [labels[name] for name in NAMESPACES if labels.get(name)]
    if not pod:
        return None
    if spaces:
        return next((found for space in spaces if (found := by_pod.get((space, pod)))), None)
    alike = [found for (_, name), found in by_pod.items() if name == pod]
    return alike[0] if len(alike) == 1 else None


def namespace_label(series: Iterable[Labels], namespace: str) -> dict[str, str] | None:
    """Return the label by which a role's series name its namespace; None: by the usual one, or by none that is known."""
    found = list(series)
    if not found or all(one.get("namespace") == namespace for one in found):
        return None
    return next(({name: namespace} for name in NAMESPACES if all(one.get(name) == namespace for one in found)), None)
