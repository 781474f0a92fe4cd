"""The Kubernetes API of the comparison, in memory: pods of three roles, one of them without any, and an admission policy that says no."""

from __future__ import annotations

from types import SimpleNamespace

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.objects import Node
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target

NAMESPACE = "ml-serving"
ROLES = {name: {"namespace": NAMESPACE, "selector": f"app={name}"} for name in ("inference", "gateway", "decoy")}


class MemoryCluster(FakeCluster):
    """Nobody plays the role decoy; deleting a pod is forbidden by a policy of which access reviews know nothing."""

    def __init__(self) -> None:
        super().__init__()
        for key in [key for key, pod in self.pods.items() if (pod.metadata.labels or {})["app"] == "decoy"]:
            del self.pods[key]
        self.sanitize_for_serialization = client.ApiClient().sanitize_for_serialization

    def delete_namespaced_pod(self, name: str, namespace: str, body: object = None) -> None:  # noqa: ARG002 - the API's own signature
        """Answer 403."""
        raise ApiException(status=403, reason="Forbidden")

    def list_namespaced_event(self, namespace: str, **_: object) -> object:  # noqa: ARG002, D102 - the API's own signature
        return SimpleNamespace(items=[])

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: object) -> str:  # noqa: ARG002, D102 - the API's own signature
        return "no log in memory\n"

    def read_node(self, name: str, **_: object) -> Node:  # noqa: D102 - the API's own signature
        return super().read_node(name)


def target_for(url: str, **changes: object) -> Target:
    """Return the target file of the comparison: the embedded platform's, with the server at ``url`` in place of its load balancer."""
    serving = {"realtime-inference": yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())["workloads"]["realtime-inference"]}
    return local_target(roles=ROLES, endpoints={"inference": url}, prometheus=None, workloads=serving, **changes)
