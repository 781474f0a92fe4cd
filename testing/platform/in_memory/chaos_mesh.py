"""The small cluster with Chaos Mesh on it: a controller that acts on objects as it says, unless a test lets it be wrong, dead or stuck."""

# the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

from kubernetes import client

from kube.client import Platform
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, local_target, pod

VERSION = "chaos-mesh.org/v1alpha1"
SELECTED = [{"type": "Selected", "status": "True"}, {"type": "AllInjected", "status": "True"}, {"type": "AllRecovered", "status": "False"}]
FINALIZER = "chaos-mesh/records"


def mesh_target() -> Target:
    """Return the embedded platform's target where faults are made by Chaos Mesh."""
    return local_target(chaos_mesh={"namespace": "chaos-mesh"}, machines=None, gpus=None)


class MeshCluster(FakeCluster):
    """``conditions`` and ``records`` (None: one of each pod that is selected) are what the controller says of an object.

    ``stuck``: an object that is deleted stays, by its finalizer. ``acts``: whether it does what it says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources |= {(VERSION, "podchaos"), (VERSION, "networkchaos")}
        self.conditions, self.acts, self.stuck = SELECTED, True, False
        self.records: list[dict[str, Any]] | None = None
        self.annotations: dict[str, dict[str, str]] = {}  # of namespaces
        self._add("controller", "cpu-a", "controller-manager")
        for node in self.nodes:
            self._add(f"daemon-{node}", node, "chaos-daemon")

    def platform(self, target: Target | None = None) -> Platform:
        return super().platform(target or mesh_target())

    def settings(self, **variables: str) -> None:
        """Let the controller have these environment variables."""
        variable = [client.V1EnvVar(name=name, value=value) for name, value in variables.items()]
        self.pods["chaos-mesh", "controller"].spec.containers[0].env = variable

    def _add(self, name: str, node: str, component: str) -> None:
        made = pod(name, node, namespace="chaos-mesh", owner="DaemonSet" if component == "chaos-daemon" else "ReplicaSet")
        made.metadata.labels = {"app.kubernetes.io/component": component}
        self.pods["chaos-mesh", name] = made

    def read_namespace(self, name: str) -> SimpleNamespace:
        found = super().read_namespace(name)
        found.metadata.annotations = self.annotations.get(name)
        return found

    def list_cluster_custom_object(self, group: str, version: str, plural: str, **_: object) -> dict[str, Any]:
        self._known(group, version, plural)
        return {"items": [copy.deepcopy(one) for (kind, _, _), one in self.plain.items() if kind == plural]}

    def create_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, body: dict[str, Any], *, dry_run: str | None = None
    ) -> None:
        super().create_namespaced_custom_object(group, version, namespace, plural, body, dry_run=dry_run)
        if dry_run:
            return
        self.calls.append(f"make {plural} {body['metadata']['name']}")
        made = self.plain[plural, namespace, body["metadata"]["name"]]
        made["metadata"]["finalizers"] = [FINALIZER]
        hit = [(where, name) for where, names in body["spec"]["selector"]["pods"].items() for name in names]
        records = [{"id": f"{where}/{name}", "selectorKey": ".", "phase": "Injected"} for where, name in hit]
        said = records if self.records is None else self.records
        made["status"] = {"conditions": self.conditions, "experiment": {"desiredPhase": "Run", "containerRecords": said}}
        if self.acts and plural == "podchaos":
            for one in hit:
                del self.pods[one]

    def delete_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, name: str, *, propagation_policy: str
    ) -> None:
        if self.stuck:
            self._object(plural, namespace, name)["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
            return
        super().delete_namespaced_custom_object(group, version, namespace, plural, name, propagation_policy=propagation_policy)
