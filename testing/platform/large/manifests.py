"""The objects of a large platform as manifests, each about as large as real ones: nodes with their images, pods with their settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
ZONES = ("zone-a", "zone-b", "zone-c")
ZONE_LABEL = "topology.kubernetes.io/zone"
SERVING, SUITE = "llm-serving", "aftershock"
CONSENT = {"aftershock.dev/chaos": "allowed"}
TEAMS = 40  # namespaces beside the serving platform's
A_WORKLOAD = 50  # pods of one Deployment or StatefulSet
ROLES = {"inference": 6, "gateway": 3, "decoy": 2}  # Deployments of the serving platform, and their replicas
IMAGES = 50  # that a kubelet reports of its node, by default
HASH = "5d4f8c7b9"


@dataclass(frozen=True, slots=True)
class Large:
    """So many nodes, and so many pods on each beside the serving platform's."""

    nodes: int
    pods_per_node: int = 10

    @property
    def pods(self) -> int:
        """How many pods there are."""
        return self.nodes * self.pods_per_node + sum(ROLES.values())

    def namespaces(self) -> list[str]:
        """Return the names of all namespaces with pods."""
        return [SERVING, *sorted({_team(number) for number in range(self._workloads)})]

    def node_manifests(self) -> Iterator[Manifest]:
        """Yield every node."""
        return (node(number) for number in range(self.nodes))

    def owner_manifests(self) -> Iterator[Manifest]:
        """Yield every Deployment and StatefulSet."""
        for role, count in ROLES.items():
            yield owner("Deployment", role, SERVING, count)
        for number in range(self._workloads):
            yield owner(_kind(number), f"app-{number:04d}", _team(number), A_WORKLOAD)

    def pod_manifests(self) -> Iterator[Manifest]:
        """Yield every pod; those of the serving platform stand on the first nodes, each role apart from itself."""
        begin = 0
        for role, count in ROLES.items():
            for number in range(count):
                yield pod("Deployment", role, SERVING, number, node_name((begin + number) % self.nodes))
            begin += count
        for number in range(self.nodes * self.pods_per_node):
            workload, index = divmod(number, A_WORKLOAD)
            yield pod(_kind(workload), f"app-{workload:04d}", _team(workload), index, node_name(number % self.nodes))

    @property
    def _workloads(self) -> int:
        return -(-self.nodes * self.pods_per_node // A_WORKLOAD)


def node_name(number: int) -> str:
    """Return the name of a node."""
    return f"node-{number:05d}"


def node(number: int) -> Manifest:
    """Return a worker as its kubelet registers it."""
    name = node_name(number)
    labels = {
        "kubernetes.io/hostname": name,
        ZONE_LABEL: ZONES[number % len(ZONES)],
        "topology.kubernetes.io/region": "region-1",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "m.16xlarge",
        **{f"example.org/label-{count}": f"value-{count}" for count in range(15)},
    }
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    status = {"allocatable": amounts, "capacity": amounts, "images": [_image(count) for count in range(IMAGES)]}
    meta = {"name": name, "labels": labels, "annotations": {"node.alpha.kubernetes.io/ttl": "0"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"providerID": f"example:///{name}"}, "status": status}


def _image(number: int) -> Manifest:
    name = f"registry.example.org/team-{number % 7}/component-{number:03d}"
    return {"names": [f"{name}@sha256:{number:064x}", f"{name}:1.{number}.0"], "sizeBytes": 100_000_000 + number}


def owner(kind: str, name: str, namespace: str, count: int) -> Manifest:
    """Return a Deployment or StatefulSet of which nothing is in flight."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [_container(name)]}}
    spec: Manifest = {"replicas": count, "selector": {"matchLabels": labels}, "template": template}
    spec |= {"serviceName": name} if kind == "StatefulSet" else {}
    status = {"replicas": count, "readyReplicas": count, "updatedReplicas": count, "observedGeneration": 1}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec, "status": status}


def pod(kind: str, app: str, namespace: str, index: int, node: str) -> Manifest:
    """Return a pod that is bound to its node; its labels and owner are those that its kind of controller gives."""
    if kind == "Deployment":
        name, labels, by = f"{app}-{HASH}-{index:05d}", {"app": app, "pod-template-hash": HASH}, ("ReplicaSet", f"{app}-{HASH}")
    else:
        name, labels, by = f"{app}-{index}", {"app": app, "apps.kubernetes.io/pod-index": str(index)}, ("StatefulSet", app)
    made_by = {"apiVersion": "apps/v1", "kind": by[0], "name": by[1], "uid": f"uid-{by[1]}", "controller": True}
    notes = {f"example.org/note-{count}": "x" * 60 for count in range(8)}
    meta = {"name": name, "namespace": namespace, "labels": labels, "annotations": notes, "ownerReferences": [made_by]}
    spec = {"nodeName": node, "containers": [_container(app)], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 30}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _container(app: str) -> Manifest:
    environment = [{"name": f"SETTING_{count:02d}", "value": f"{app}-value-{count}"} for count in range(20)]
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    return {"name": "server", "image": f"registry.example.org/{app}:1.0", "env": environment, "resources": resources}


def _kind(workload: int) -> str:
    return ("Deployment", "StatefulSet")[workload % 2]


def _team(workload: int) -> str:
    return f"team-{workload % TEAMS:02d}"
