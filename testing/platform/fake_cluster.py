"""A small in-memory API server: the calls that kube/, faults/ and probes/ make, with resource versions, preconditions and 404/409/429."""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import urllib3
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from kube.labels import selects
from kube.objects import ConfigMap, Lease, Node, Pod
from target.target import Target
from testing.platform.in_memory.asked_by_path import AskedByPath, FakeApi
from testing.platform.in_memory.fake_objects import FakeObjects
from testing.platform.targets import changed

Stored = TypeVar("Stored", ConfigMap, Lease)
Key = TypeVar("Key")
Thing = TypeVar("Thing")
ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)


CONTAINER_ID = "f" * 64
LIMITED = client.V1ResourceRequirements(limits={"memory": "1Gi"})


@cache
def _local() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load((ROOT / "targets/local.yaml").read_text())
    return raw


def local_target(**changes: Any) -> Target:
    """The embedded platform's target with other values for some keys, of the file or of its region."""
    return Target.model_validate(changed(_local(), **changes))


def pod(
    name: str,
    node: str | None = "gpu-a",
    *,
    namespace: str = "ml-serving",
    app: str = "inference",
    ready: bool = True,
    owner: str | None = "ReplicaSet",
    **spec: object,
) -> Pod:
    owners = (
        [client.V1OwnerReference(api_version="apps/v1", kind=owner, name="owner", uid=f"uid-of-{app}", controller=True)] if owner else []
    )
    meta = client.V1ObjectMeta(name=name, namespace=namespace, uid=f"uid-{name}", labels={"app": app}, owner_references=owners)
    condition = client.V1PodCondition(type="Ready", status="True" if ready else "False")
    user = client.V1ContainerUser(linux=client.V1LinuxContainerUser(uid=65532, gid=65532))
    device = client.V1ResourceStatus(name="nvidia.com/gpu", resources=[client.V1ResourceHealth(resource_id="GPU-1", health="Healthy")])
    status = client.V1ContainerStatus(
        container_id=f"containerd://{CONTAINER_ID}",
        name="server",
        image="i",
        image_id="i",
        ready=ready,
        restart_count=0,
        user=user,
        allocated_resources_status=[device],
    )
    made = client.V1Pod(
        metadata=meta,
        spec=client.V1PodSpec(node_name=node, containers=[client.V1Container(name="server", resources=LIMITED)], **spec),
        status=client.V1PodStatus(phase="Running", conditions=[condition], container_statuses=[status]),
    )
    return cast("Pod", made)


def node(name: str, zone: str, *, gpus: int = 0, labels: dict[str, str] | None = None, ready: bool = True) -> Node:
    meta = client.V1ObjectMeta(name=name, uid=f"uid-{name}", labels={"topology.kubernetes.io/zone": zone} | (labels or {}))
    devices = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    condition = client.V1NodeCondition(type="Ready", status="True" if ready else "Unknown")
    address = client.V1NodeAddress(type="InternalIP", address="127.0.0.1")
    status = client.V1NodeStatus(conditions=[condition], allocatable=dict(devices), capacity=dict(devices), addresses=[address])
    return cast("Node", client.V1Node(metadata=meta, spec=client.V1NodeSpec(), status=status))


class FakeCluster(AskedByPath, FakeObjects):
    """Six nodes in three zones; inference on the GPU nodes, gateways on the CPU nodes, two decoys, Prometheus on cpu-a."""

    def __init__(self) -> None:
        AskedByPath.__init__(self)
        FakeObjects.__init__(self)
        self._versions = itertools.count(1)
        zones = ("a", "b", "c")
        self.nodes = {n.metadata.name: n for z in zones for n in (node(f"cpu-{z}", f"zone-{z}"), node(f"gpu-{z}", f"zone-{z}", gpus=2))}
        made = [pod(f"inference-{z}", f"gpu-{z}") for z in zones] + [pod(f"gateway-{z}", f"cpu-{z}", app="gateway") for z in zones]
        made += [pod("decoy-1", "cpu-b", app="decoy"), pod("decoy-2", "cpu-c", app="decoy")]
        made += [
            pod("prometheus-0", "cpu-a", app="prometheus", namespace="monitoring"),
            pod("dns", "gpu-b", app="dns", namespace="kube-system"),
        ]
        self.pods = {(p.metadata.namespace, p.metadata.name): p for p in made}
        self.namespaces = {"ml-serving": {"aftershock.dev/chaos": "allowed"}, "monitoring": {}, "kube-system": {}, "aftershock": {}}
        self.services = {("ml-serving", "inference"), ("ml-serving", "gateway")}  # those that have endpoints
        self.secrets = {("ml-training", "s3")}
        self.config_maps: dict[str, ConfigMap] = {}
        self.leases: dict[str, Lease] = {}
        self.leads = True  # controllers renew their Leases, unless ``leases`` has these
        self.refuse_evictions = 0  # how many more are answered 429
        self.conflicts: list[Callable[[], object]] = []  # each is called just before one replace: somebody else is faster
        self.calls: list[str] = []
        self.denied: set[tuple[str, str]] = set()  # (verb, resource)
        self.silent: set[str] = set()  # pod:port that does not answer
        self.configuration = client.Configuration(host="http://127.0.0.1:9")  # no WebSocket comes about there

    def platform(self, target: Target | None = None) -> Platform:
        fake, target = cast("Any", self), target or local_target()
        return Platform(
            target=target, region_name=target.only_region_name(),
            api=FakeApi(self), core=fake, apps=fake, batch=fake, custom=fake, coordination=fake, authorization=fake,
            discovery=fake,
        )  # fmt: skip

    # pods

    def list_namespaced_pod(self, namespace: str, label_selector: str = "", field_selector: str = "", **_: object) -> SimpleNamespace:
        there = [p for (ns, _), p in self.pods.items() if ns == namespace and selects(label_selector, p.metadata.labels or {})]
        return SimpleNamespace(items=[copy.deepcopy(p) for p in there if selects(field_selector, _fields(p))])

    def list_pod_for_all_namespaces(self, field_selector: str = "", **_: object) -> SimpleNamespace:
        return SimpleNamespace(items=[copy.deepcopy(p) for p in self.pods.values() if selects(field_selector, _fields(p))])

    def read_namespaced_pod(self, name: str, namespace: str) -> Pod:
        return copy.deepcopy(self._there(self.pods, (namespace, name)))

    def create_namespaced_pod(self, namespace: str, body: Any, dry_run: str = "") -> None:
        assert dry_run == "All", "nobody makes a pod here"

    def delete_namespaced_pod(self, name: str, namespace: str, body: client.V1DeleteOptions | None = None) -> None:
        self.calls.append(f"delete pod {name} grace {body.grace_period_seconds if body else None}")
        self._there(self.pods, (namespace, name))
        del self.pods[(namespace, name)]

    def create_namespaced_pod_eviction(self, name: str, namespace: str, body: Any, dry_run: str = "") -> None:
        self.calls.append(f"{'ask to ' if dry_run else ''}evict {name}")
        found = self._there(self.pods, (namespace, name))
        if found.metadata.uid != body.delete_options.preconditions.uid:
            raise ApiException(status=409, reason="Conflict")
        if self.refuse_evictions:
            self.refuse_evictions -= 1
            raise ApiException(status=429, reason="Too Many Requests")
        self.ask_budgets(found)
        if dry_run:
            return
        del self.pods[(namespace, name)]

    def connect_get_namespaced_pod_proxy_with_path(self, name: str, namespace: str, path: str, **_: object) -> None:
        if name in self.silent:
            raise urllib3.exceptions.ReadTimeoutError(None, path, "silent")  # type: ignore[arg-type]  # no pool is needed

    def param_serialize(self, method: str, path: str, **_: object) -> tuple[str, str, dict[str, str], None, None]:
        return method, self.configuration.host + path, {}, None, None

    def call_api(self, _method: str, url: str, *_: object, **__: object) -> SimpleNamespace:
        """Answer for a pod, through the API server: 200, unless it is one of ``silent``."""
        self.connect_get_namespaced_pod_proxy_with_path(url.split("/pods/")[1].split("/", maxsplit=1)[0], "", url)
        return SimpleNamespace(status=200, read=lambda: b"ok")

    # nodes and namespaces

    def list_node(self, field_selector: str = "", label_selector: str = "", **_: object) -> SimpleNamespace:
        fields = {n: {"metadata.name": n, "spec.unschedulable": str(bool(one.spec.unschedulable)).lower()} for n, one in self.nodes.items()}
        there = [one for name, one in self.nodes.items() if selects(field_selector, fields[name])]
        return SimpleNamespace(items=[copy.deepcopy(one) for one in there if selects(label_selector, one.metadata.labels or {})])

    def read_node(self, name: str) -> Node:
        return copy.deepcopy(self._there(self.nodes, name))

    def patch_node(self, name: str, body: dict[str, Any]) -> None:
        self.calls.append(f"patch node {name}")
        found = self._there(self.nodes, name)
        found.spec.unschedulable = body["spec"]["unschedulable"]
        notes = (found.metadata.annotations or {}) | body["metadata"]["annotations"]
        found.metadata.annotations = {key: value for key, value in notes.items() if value is not None}

    def read_namespace(self, name: str) -> SimpleNamespace:
        labels = self._there(self.namespaces, name)
        return SimpleNamespace(metadata=SimpleNamespace(labels=labels, annotations=None, deletion_timestamp=None))

    def list_namespaced_endpoint_slice(self, namespace: str, label_selector: str) -> SimpleNamespace:
        name = label_selector.removeprefix("kubernetes.io/service-name=")
        return SimpleNamespace(items=[name] if (namespace, name) in self.services else [])

    def read_namespaced_secret(self, name: str, namespace: str, _headers: dict[str, str]) -> SimpleNamespace:
        assert "PartialObjectMetadata" in _headers["Accept"], "nobody but a kubelet reads what is in a Secret"
        return self._there({key: SimpleNamespace() for key in self.secrets}, (namespace, name))

    # config maps and leases

    def create_namespaced_config_map(self, namespace: str, body: ConfigMap) -> ConfigMap:
        return self._create(self.config_maps, body)

    def read_namespaced_config_map(self, name: str, namespace: str) -> ConfigMap:
        return copy.deepcopy(self._there(self.config_maps, name))

    def replace_namespaced_config_map(self, name: str, namespace: str, body: ConfigMap) -> ConfigMap:
        return self._replace(self.config_maps, name, body)

    def delete_namespaced_config_map(self, name: str, namespace: str) -> None:
        del self.config_maps[name]

    def list_namespaced_config_map(self, namespace: str, label_selector: str, **_: object) -> SimpleNamespace:
        return SimpleNamespace(items=copy.deepcopy(list(self.config_maps.values())))

    def create_namespaced_lease(self, namespace: str, body: Lease) -> Lease:
        return self._create(self.leases, body)

    def read_namespaced_lease(self, name: str, namespace: str) -> Lease:
        if namespace == "kube-system" and self.leads and name not in self.leases:
            spec = client.V1LeaseSpec(holder_identity="it", renew_time=datetime.now(UTC), lease_duration_seconds=15)
            return cast("Lease", client.V1Lease(metadata=client.V1ObjectMeta(name=name), spec=spec))
        return copy.deepcopy(self._there(self.leases, name))

    def replace_namespaced_lease(self, name: str, namespace: str, body: Lease) -> Lease:
        return self._replace(self.leases, name, body)

    def delete_namespaced_lease(self, name: str, namespace: str, *, body: Any) -> None:
        found = self._there(self.leases, name)
        if body.preconditions.resource_version != found.metadata.resource_version:
            raise ApiException(status=409, reason="Conflict")
        del self.leases[name]

    # permissions

    def create_self_subject_access_review(self, body: Any) -> SimpleNamespace:
        asked = body.spec.resource_attributes
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        return SimpleNamespace(status=SimpleNamespace(allowed=(asked.verb, resource) not in self.denied))

    def _create(self, kind: dict[str, Stored], body: Stored) -> Stored:
        if body.metadata.name in kind:
            raise ApiException(status=409, reason="AlreadyExists")
        return self._store(kind, body)

    def _replace(self, kind: dict[str, Stored], name: str, body: Stored) -> Stored:
        if self.conflicts:
            self.conflicts.pop(0)()
        found = self._there(kind, name)
        if body.metadata.resource_version != found.metadata.resource_version:
            raise ApiException(status=409, reason="Conflict")
        return self._store(kind, body)

    def _store(self, kind: dict[str, Stored], body: Stored) -> Stored:
        stored = copy.deepcopy(body)
        stored.metadata.resource_version = str(next(self._versions))
        stored.metadata.uid = stored.metadata.uid or f"uid-{stored.metadata.name}"
        kind[stored.metadata.name] = stored
        return copy.deepcopy(stored)

    def _there(self, kind: dict[Key, Thing], key: Key) -> Thing:
        if key not in kind:
            raise ApiException(status=404, reason="Not Found")
        return kind[key]


def _fields(pod: Pod) -> dict[str, str]:
    """Return the fields of a pod by which the API server selects."""
    return {"metadata.name": pod.metadata.name, "spec.nodeName": pod.spec.node_name or "", "status.phase": pod.status.phase or ""}


def seeded(seed: int, activity: str = "act") -> Random:
    return Random(f"{seed}:{activity}")  # noqa: S311 - repeatable choices, no secrets
