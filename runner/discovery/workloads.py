"""Pods gathered by who makes them: of thousands of pods only one of each kind is kept whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import orjson
from kubernetes.client import V1Container

from kube.client import FINISHED, Platform
from kube.containers import main_container
from kube.controllers.kinds import Reference, owner_in
from kube.controllers.owners import maker_of
from kube.objects import Pod
from runner.discovery.reader import PODS, Reader
from safety.blast_radius import SYSTEM_NAMESPACES
from target.job_kinds.kind import Plain

UNFINISHED = ",".join(f"status.phase!={phase}" for phase in sorted(FINISHED))
PARTS = ("ray.io/group",)
"""Labels that part the pods of one maker: a Ray cluster's head from its workers. None that changes, as the role of a Redis does."""
Key = tuple[str, Reference | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of each pod."""

    name: str
    address: str
    node: str
    ready: bool


@dataclass(frozen=True, eq=False)
class Workload:
    """Pods of one maker, a key by which other findings are kept.

    ``labels``: those that all of them have; ``sample``: one of them, whole; ``maker``: None, nobody makes them.
    """

    namespace: str
    name: str
    maker: Reference | None
    labels: Mapping[str, str]
    sample: Pod
    pods: tuple[Seen, ...]

    def __str__(self) -> str:
        """Return it as a person says it: ``Deployment vllm in llm``."""
        return f"{self.maker or f'pod {self.name}'} in {self.namespace}"

    @cached_property
    def container(self) -> V1Container:
        """The container that a person means."""
        return main_container(self.sample)

    @property
    def of_system(self) -> bool:
        """Whether it is Kubernetes' own, which is never touched."""
        return self.namespace in SYSTEM_NAMESPACES

    @property
    def of_job(self) -> bool:
        """Whether its pods end by themselves."""
        return self.maker is not None and self.maker.kind in {"Job", "JobSet"}

    def requests_of(self, resources: Iterable[str]) -> int:
        """Return how many of some extended resources (GPUs) each of its pods asks for."""
        asked = [(one.resources.limits or {}) | (one.resources.requests or {}) for one in self.sample.spec.containers if one.resources]
        return sum(int(amounts.get(name, 0)) for amounts in asked for name in resources)


@dataclass(slots=True)
class _Group:
    """Pods of one owner as they come."""

    sample: Plain
    labels: dict[str, str]
    pods: list[Seen] = field(default_factory=list)

    def add(self, pod: Plain, seen: Seen) -> None:
        labels = pod["metadata"].get("labels") or {}
        self.labels = {key: value for key, value in self.labels.items() if labels.get(key) == value}
        if seen.ready and not any(one.ready for one in self.pods):
            self.sample = pod  # one that is well shows best what it is
        self.pods.append(seen)


def read_workloads(reader: Reader) -> list[Workload]:
    """Return what runs in the namespaces that are looked into, ordered by namespace and name."""
    groups: dict[Key, _Group] = {}
    for page in reader.pages(PODS, fieldSelector=UNFINISHED):
        for pod in page:
            if (pod.get("status") or {}).get("phase") not in FINISHED:
                meta = pod["metadata"]
                group = groups.setdefault(_key(meta), _Group(pod, dict(meta.get("labels") or {})))
                group.add(pod, _seen(pod))
    return sorted(_merged(reader.platform, groups), key=lambda one: (one.namespace, one.name))


def _key(meta: Plain) -> Key:
    """Return what pods have in common that are one workload: their owner, or, without one, their labels."""
    labels, owner = meta.get("labels") or {}, owner_in(meta)
    alike = tuple(f"{name}={labels.get(name, '')}" for name in PARTS) if owner else tuple(f"{k}={v}" for k, v in sorted(labels.items()))
    return meta["namespace"], owner, alike


def _merged(platform: Platform, groups: Mapping[Key, _Group]) -> list[Workload]:
    """Merge groups of owners that have one maker: the ReplicaSets of a Deployment."""
    found: dict[Key, Workload] = {}
    for (namespace, _, alike), group in groups.items():
        sample: Pod = platform.api.deserialize(orjson.dumps(group.sample).decode(), "V1Pod", "application/json")
        maker = maker_of(sample)
        key = (namespace, maker, alike if maker else (sample.metadata.name,))
        name = maker.name if maker else sample.metadata.name
        made = Workload(namespace, name, maker, group.labels, sample, tuple(group.pods))
        found[key] = _together(found[key], made) if key in found else made
    return list(found.values())


def _together(one: Workload, other: Workload) -> Workload:
    labels = {key: value for key, value in one.labels.items() if other.labels.get(key) == value}
    sample = other.sample if any(pod.ready for pod in other.pods) and not any(pod.ready for pod in one.pods) else one.sample
    return Workload(one.namespace, one.name, one.maker, labels, sample, one.pods + other.pods)


def _seen(pod: Plain) -> Seen:
    meta, status = pod["metadata"], pod.get("status") or {}
    well = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or [])
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    return Seen(meta["name"], str(status.get("podIP") or ""), node, well and not meta.get("deletionTimestamp"))
