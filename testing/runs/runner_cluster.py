"""The small API server with what preflight, the reaper's Job and ``heal`` ask beyond kube/: deployments, Jobs, accounts, roles, logs."""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.client import Platform
from safety.leases import Leases
from safety.reaper import WATCHING
from safety.undo_journal import Undo, UndoKind
from testing.platform.fake_cluster import FakeCluster, pod

KINDS = ("service_account", "role", "role_binding", "job", "cluster_role", "cluster_role_binding")
LOST = "20261121-120000-zone-lost-1-ab12"  # a run that cordoned nodes
REPLICAS = {"inference": 3, "gateway": 3, "decoy": 2}


class RunnerCluster(FakeCluster):
    """``objects`` holds what was made of :data:`KINDS`: (kind, name) -> manifest."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[tuple[str, str], Any] = {}
        self.replicas |= REPLICAS
        self.updated: dict[str, int] = {}  # deployment -> updated replicas, if not all
        self.reaper_says = WATCHING

    def deployment(self, name: str) -> dict[str, Any]:
        found = super().deployment(name)
        found["status"]["updatedReplicas"] = self.updated.get(name, self.replicas[name])
        return found

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: object) -> str:
        if not self.reaper_says:
            raise ApiException(status=400, reason="ContainerCreating")
        return self.reaper_says

    def list_namespaced_lease(self, namespace: str, label_selector: str, **_: object) -> Any:
        return SimpleNamespace(items=copy.deepcopy(list(self.leases.values())))

    def __getattr__(self, name: str) -> Any:
        verb, _, kind = name.partition("_")
        kind = kind.removeprefix("namespaced_")
        if verb not in {"create", "list", "delete"} or kind not in KINDS:
            raise AttributeError(name)
        return getattr(self, f"_{verb}")(kind)

    def _create(self, kind: Any, body: Any = None) -> Any:
        if not isinstance(kind, str):
            return super()._create(kind, body)

        def create(*arguments: Any) -> None:
            body = arguments[-1]
            self.objects[kind, body["metadata"]["name"]] = copy.deepcopy(body)
            self.calls.append(f"create {kind} {body['metadata']['name']}")
            if kind == "job":  # its controller makes a pod
                name = body["metadata"]["name"]
                made = pod(name, "cpu-a", namespace="aftershock", owner="Job")
                made.metadata.labels = {"job-name": name}
                self.pods["aftershock", name] = made

        return create

    def _list(self, kind: str) -> Any:
        def found(*_: str, label_selector: str = "", **__: object) -> Any:
            wanted = dict(part.split("=") for part in label_selector.split(",") if part)
            items = [
                body for (one, _), body in self.objects.items() if one == kind and wanted.items() <= body["metadata"]["labels"].items()
            ]
            return SimpleNamespace(items=[SimpleNamespace(metadata=SimpleNamespace(**body["metadata"])) for body in items])

        return found

    def _delete(self, kind: str) -> Any:
        def delete(name: str, *_: str, **__: str) -> None:
            if (kind, name) not in self.objects:
                raise ApiException(status=404, reason="Not Found")
            del self.objects[kind, name]

        return delete


def serve(monkeypatch: pytest.MonkeyPatch, cluster: FakeCluster) -> Platform:
    """Let every API class of the client that is made over the platform be ``cluster``; return the platform."""
    monkeypatch.setattr(client, "RbacAuthorizationV1Api", lambda _api: cluster)
    version = SimpleNamespace(get_code=lambda: SimpleNamespace(git_version="v1.36.3"))
    monkeypatch.setattr(client, "VersionApi", lambda _api: version)
    return cluster.platform()


def cordoned(cluster: FakeCluster, name: str = "gpu-a", run_id: str = LOST) -> Undo:
    """Let a run have cordoned a node; return what undoes it."""
    node = cluster.nodes[name]
    node.spec.unschedulable, node.metadata.annotations = True, {"aftershock.dev/cordoned-by": run_id}
    return Undo(kind=UndoKind.UNCORDON, activity="lose-zone", object=name, detail=run_id, ends_by_ns=0)


def alive(cluster: FakeCluster, platform: Platform, run_id: str = LOST) -> None:
    """Let a run hold a lease."""
    leases: Any = cluster
    Leases(leases, "aftershock", f"{run_id}@host:1", platform.server_time).acquire(["aftershock-namespace-ml-serving"])
