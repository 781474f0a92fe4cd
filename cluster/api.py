"""The few questions that bringing a cluster up asks the Kubernetes API; everything else is kubectl's."""

import http.client
import json
import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cluster.config import ClusterConfig
from cluster.errors import ClusterError
from cluster.host import pace
from cluster.pki import ADMIN
from cluster.state import State


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What Kubernetes says of a node: whether it is Ready, and how many healthy GPUs it offers."""

    name: str
    ready: bool
    gpus: int

    @classmethod
    def of(cls, node: dict[str, Any]) -> Self:
        """Read a node object."""
        status = node["status"]
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        return cls(node["metadata"]["name"], ready, int(status.get("allocatable", {}).get("nvidia.com/gpu", 0)))


class Api:
    """The API server, asked as its administrator."""

    def __init__(self, config: ClusterConfig, state: State) -> None:
        self._address = config.api_address
        self._context = ssl.create_default_context(cafile=str(state.pki / "ca.crt"))
        self._context.load_cert_chain(state.pki / f"{ADMIN}.crt", state.pki / f"{ADMIN}.key")

    def get(self, path: str) -> bytes:
        """Return the answer; raise OSError unless it is 200 within 5 s."""
        connection = http.client.HTTPSConnection(self._address, 6443, timeout=pace.limit_s(5), context=self._context)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{path}: {error!r}") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ConnectionError(f"{path}: {response.status} {body[:200].decode(errors='replace')}")
        return body

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True

    def nodes(self) -> dict[str, NodeStatus]:
        """Return the nodes by name; none while the API can't be asked."""
        try:
            items = json.loads(self.get("/api/v1/nodes"))["items"]
        except OSError:
            return {}
        return {node.name: node for node in map(NodeStatus.of, items)}

    def available(self, namespace: str, deployment: str) -> bool:
        """Whether the deployment has an available replica."""
        try:
            found = json.loads(self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"))
        except OSError:
            return False
        return int(found["status"].get("availableReplicas", 0)) > 0


def apply(programs: Path, state: State, manifest: str) -> None:
    """Create or change the manifest's objects; raise ClusterError with kubectl's last words."""
    argv = [str(programs / "kubectl"), "--kubeconfig", str(state.kubeconfig), "apply", "--server-side", "-f", "-"]
    # kubectl caches what the API offers below HOME; another cluster may use the same address tomorrow
    env = {**os.environ, "KUBECACHEDIR": str(state.folder / "kubectl-cache")}
    done = subprocess.run(argv, input=manifest, capture_output=True, text=True, check=False, env=env, timeout=pace.limit_s(60))
    if done.returncode != 0:
        raise ClusterError(f"kubectl could not apply the cluster's own services: {done.stderr.strip()[-500:]}")
