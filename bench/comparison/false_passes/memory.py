"""The Kubernetes API of the comparison, in memory: nobody plays one role, and an admission policy says no."""

from __future__ import annotations

from typing import Any

from kubernetes.client.exceptions import ApiException

from bench.common import memory_cluster


class MemoryCluster(memory_cluster.MemoryCluster):
    """Nobody plays the role decoy; deleting a pod is forbidden by a policy of which access reviews know nothing."""

    def __init__(self) -> None:
        super().__init__()
        for key in [key for key, pod in self.pods.items() if pod.metadata.labels["app"] == "decoy"]:
            del self.pods[key]

    def delete_namespaced_pod(self, name: str, namespace: str, body: Any = None) -> Any:  # noqa: ANN401, ARG002 - the API's own signature
        """Answer 403."""
        raise ApiException(status=403, reason="Forbidden")
