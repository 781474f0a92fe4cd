"""One controller of pods, as the API server has it: how many pods it wants now, and whether a rollout is under way.

Deployment, StatefulSet, ReplicaSet, DaemonSet, Job, LeaderWorkerSet, Argo Rollout and JobSet are read whole. Of any other kind its
``/scale`` is read, which discovery must list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from kubernetes import client

from kube.client import Platform, unless_forbidden, unless_gone
from kube.permissions import Permission
from target.job_kinds.kind import Resource
from target.role import KINDS
from target.role import Controller as Named

Manifest = Mapping[str, Any]
RECREATES = "RecreateGroupOnPodRestart"  # a LeaderWorkerSet's restartPolicy; also what it does if none is written


class Reference(NamedTuple):
    """An object of the role's namespace, as an owner reference names it; ``api_version`` is such as ``apps/v1``."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Return it as a person says it: ``Deployment vllm``."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Controller:
    """Who makes pods, as it stands now.

    ``wanted``: how many pods; None: it says no number. ``rollout``: one that is under way, in words. ``size``: pods of a group, which
    ``recreates`` says are made anew together. ``owner``: who made it in turn. ``set_by``: who last set its number, and when. ``spec``: as
    its manifest has it; None: it was not read whole.
    """

    reference: Reference
    wanted: int | None
    rollout: str = ""
    template: Any = None
    size: int = 1
    recreates: bool = False
    owner: Reference | None = None
    set_by: str = ""
    uid: str = field(default="", compare=False)
    spec: Any = field(default=None, compare=False)


def permission_to_read(named: Named, namespace: str) -> Permission:
    """Return what reading a controller that the target file names needs."""
    if named.kind in KINDS:
        return Permission("get", KINDS[named.kind].plural, KINDS[named.kind].group, namespace)
    plural, _, group = (named.resource or "").partition(".")
    return Permission("get", f"{plural}/scale", group, namespace)


def read_named(platform: Platform, named: Named, namespace: str) -> Controller:
    """Return the controller that the target file names. Raises ApiException: it is not there, or may not be read."""
    if named.kind in KINDS:
        resource = KINDS[named.kind]
        return _read_whole(platform, resource, namespace, Reference(resource.api_version, named.kind, named.name))
    plural, _, group = (named.resource or "").partition(".")
    groups = client.ApisApi(platform.api).get_api_versions().groups
    versions = {one.name: one.preferred_version.version for one in groups if one.preferred_version}
    resource = Resource(group, versions.get(group, "v1"), plural, named.kind)
    return _read_scale(platform, resource, namespace, Reference(resource.api_version, named.kind, named.name))


def read(platform: Platform, reference: Reference, namespace: str) -> Controller | None:
    """Return an owner; None: it is gone, may not be read, or is of a kind without a number. Raises ApiException: any other answer."""
    if reference.kind == "Pod":
        pod = unless_gone(lambda: platform.pod(reference.name, namespace))
        return None if pod is None else Controller(reference, None, owner=owner_in(pod.to_dict()["metadata"], "owner_references"))
    group, _, version = reference.api_version.rpartition("/")
    known = KINDS.get(reference.kind)
    if known is not None and known.group == group:
        resource = known._replace(version=version)
        return unless_gone(lambda: unless_forbidden(lambda: _read_whole(platform, resource, namespace, reference), None))
    plural = _scaled(platform, group, version, reference.kind)
    if plural is None:
        return None
    scaled = Resource(group, version, plural, reference.kind)
    return unless_gone(lambda: unless_forbidden(lambda: _read_scale(platform, scaled, namespace, reference), None))


def owner_in(meta: Manifest, key: str = "ownerReferences") -> Reference | None:
    """Return who made an object, by its metadata; None: nobody did."""
    owners = [one for one in meta.get(key) or [] if one.get("controller")]
    return next((Reference(one.get("apiVersion") or one.get("api_version"), one["kind"], one["name"]) for one in owners), None)


def _scaled(platform: Platform, group: str, version: str, kind: str) -> str | None:
    """Return the plural of a kind that has the scale subresource, as discovery says; None: it has none."""
    if not group:
        return None
    found = unless_gone(lambda: client.CustomObjectsApi(platform.api).get_api_resources(group, version))
    names = {one.name: one.kind for one in found.resources} if found else {}
    return next((name for name, of in names.items() if of == kind and f"{name}/scale" in names), None)


def _read_scale(platform: Platform, resource: Resource, namespace: str, reference: Reference) -> Controller:
    api = client.CustomObjectsApi(platform.api)
    scale: Any = api.get_namespaced_custom_object_scale(resource.group, resource.version, namespace, resource.plural, reference.name)
    return Controller(reference, int(scale["spec"].get("replicas") or 0))


def _read_whole(platform: Platform, resource: Resource, namespace: str, reference: Reference) -> Controller:
    api = client.CustomObjectsApi(platform.api)
    found: Any = api.get_namespaced_custom_object(resource.group, resource.version, namespace, resource.plural, reference.name)
    read_as = SHAPES[reference.kind](reference, found.get("spec") or {}, found.get("status") or {}, found["metadata"])
    meta = found["metadata"]
    return replace(read_as, owner=owner_in(meta), set_by=_set_by(meta), uid=meta.get("uid") or "", spec=found.get("spec") or {})


def _set_by(meta: Manifest) -> str:
    """Return who last set ``spec.replicas``, by the fields that the API server keeps: manager, way and time."""
    entries = [one for one in meta.get("managedFields") or [] if "f:replicas" in (one.get("fieldsV1") or {}).get("f:spec", {})]
    latest = max(entries, key=lambda one: one.get("time") or "", default=None)
    if latest is None:
        return ""
    through = f" through its {latest['subresource']}" if latest.get("subresource") else ""
    return f"{latest.get('manager') or 'nobody named'}{through} at {latest.get('time') or 'an unknown time'}"


def _replicas(spec: Manifest) -> int:
    written = spec.get("replicas")
    return 1 if written is None else int(written)  # left out means one


def _updated(status: Manifest, meta: Manifest, want: int, what: str = "replicas") -> str:
    """Return that a rollout is under way: not all are of the newest template, or the newest was not looked at yet."""
    updated = int(status.get("updatedReplicas") or 0)
    seen = int(status.get("observedGeneration") or meta.get("generation") or 0)
    return "" if seen >= int(meta.get("generation") or 0) and updated >= want else f"{updated} of {want} {what} updated"


def _deployment(reference: Reference, spec: Manifest, status: Manifest, meta: Manifest) -> Controller:
    want = _replicas(spec)
    rollout = _updated(status, meta, want)
    paused = f"{rollout}, and it is paused: kubectl rollout resume" if rollout and spec.get("paused") else rollout
    return Controller(reference, want, paused, spec.get("template"))


def _stateful_set(reference: Reference, spec: Manifest, status: Manifest, meta: Manifest) -> Controller:
    """Read apps/v1: below its partition, and with OnDelete, older pods stay on purpose, which is no rollout under way."""
    want, strategy = _replicas(spec), spec.get("updateStrategy") or {}
    kept = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    due = 0 if strategy.get("type") == "OnDelete" else max(0, want - kept)
    rollout = _updated(status, meta, due)
    return Controller(reference, want, rollout and rollout.replace(f"of {due} ", f"of {want} "), spec.get("template"))


def _replica_set(reference: Reference, spec: Manifest, _status: Manifest, _meta: Manifest) -> Controller:
    return Controller(reference, _replicas(spec), template=spec.get("template"))


def _daemon_set(reference: Reference, spec: Manifest, status: Manifest, _meta: Manifest) -> Controller:
    return Controller(reference, int(status.get("desiredNumberScheduled") or 0), template=spec.get("template"))


def _job(reference: Reference, spec: Manifest, _status: Manifest, _meta: Manifest) -> Controller:
    return Controller(reference, _at_once(spec), template=spec.get("template"))


def _job_set(reference: Reference, spec: Manifest, _status: Manifest, _meta: Manifest) -> Controller:
    parts = spec.get("replicatedJobs") or []
    pods = sum(_replicas(part) * _at_once((part.get("template") or {}).get("spec") or {}) for part in parts)
    return Controller(reference, 0 if spec.get("suspend") else pods, template=parts)


def _at_once(job: Manifest) -> int:
    """Return how many pods a Job has at once."""
    parallel = int(job.get("parallelism", 1))
    return 0 if job.get("suspend") else min(parallel, int(job.get("completions") or parallel))


def _leader_worker_set(reference: Reference, spec: Manifest, status: Manifest, meta: Manifest) -> Controller:
    """Read leaderworkerset.x-k8s.io/v1: its replicas are groups of ``size`` pods, a leader and its workers."""
    groups, template = _replicas(spec), spec.get("leaderWorkerTemplate") or {}
    size = int(template.get("size", 1))
    recreates = template.get("restartPolicy", RECREATES).startswith("RecreateGroup")
    return Controller(reference, groups * size, _updated(status, meta, groups, "groups"), template, size, recreates)


def _rollout(reference: Reference, spec: Manifest, status: Manifest, _meta: Manifest) -> Controller:
    """Read argoproj.io/v1alpha1: a canary that waits or is stepped on (``status.phase``) is a rollout under way."""
    phase, want = str(status.get("phase") or ""), _replicas(spec)
    under_way = phase in {"Progressing", "Paused"}
    text = f"{phase}, {int(status.get('updatedReplicas') or 0)} of {want} replicas updated" if under_way else ""
    return Controller(reference, want, text, spec.get("template"))


SHAPES: dict[str, Callable[[Reference, Manifest, Manifest, Manifest], Controller]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "ReplicaSet": _replica_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "LeaderWorkerSet": _leader_worker_set,
    "Rollout": _rollout,
    "JobSet": _job_set,
}
