"""A cluster in memory whose kubelets start fault pods."""

from __future__ import annotations

import json
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from testing.platform.fake_cluster import FakeCluster, pod


class WithPods(FakeCluster):
    """A cluster whose kubelets start fault pods; ``says`` is what their programs write, or why they do not run."""

    def __init__(self, *says: dict[str, Any], phase: str = "Running", reason: str = "", denied: str = "") -> None:
        super().__init__()
        self.says, self.phase, self.reason, self.denies = says, phase, reason, denied
        self.bodies: list[Any] = []

    def create_namespaced_pod(self, namespace: str, body: Any, dry_run: str = "") -> None:
        assert not dry_run, "nobody asks about a pod here"
        if self.denies:
            error = ApiException(status=403, reason="Forbidden")
            error.body = json.dumps({"message": self.denies})
            raise error
        self.calls.append(f"create pod on {body['spec']['nodeName']}")
        self.bodies.append(body)
        made = pod(body["metadata"]["name"], body["spec"]["nodeName"], namespace=namespace)
        made.status = client.V1PodStatus(phase=self.phase, reason=self.reason)
        self.pods[namespace, body["metadata"]["name"]] = made

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: Any) -> str:
        self._there(self.pods, (namespace, name))
        return "".join(json.dumps(line) + "\n" for line in self.says)


class Pulling(WithPods):
    """Its nodes pull an image for the first ``looks`` looks at a fault pod, once; from then on they have it."""

    def __init__(self, looks: int, *says: dict[str, Any]) -> None:
        super().__init__(*says)
        self.looks = looks

    def read_namespaced_pod_log(self, name: str, namespace: str, **arguments: Any) -> str:
        if self.looks > 0:
            raise ApiException(status=400, reason="ContainerCreating")
        return super().read_namespaced_pod_log(name, namespace, **arguments)

    def read_namespaced_pod(self, name: str, namespace: str) -> Any:
        self.looks -= 1
        found = super().read_namespaced_pod(name, namespace)
        if self.looks >= 0:
            found.status = client.V1PodStatus(phase="Pending", reason="Pulling")
        return found
