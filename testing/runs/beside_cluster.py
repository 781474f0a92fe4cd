"""The small API server with storage servers, whose ephemeral containers are processes of this machine and see its files.

What a kubelet does is done here: the program is started with its variables, those of Secrets too; its log is kept; its end is told.
"""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from kubernetes import client

from history.errors import NoData
from kube.client import Platform
from target.object_store import ObjectStore
from target.suite_image import FAULT_PYTHON, PROJECT
from target.target import Target
from testing.platform.fake_cluster import ROOT, local_target, pod
from testing.runs.runner_cluster import RunnerCluster

SERVERS = {"s3-zone-b-0": "cpu-b", "s3-zone-c-0": "cpu-c"}
DATA_SECRET = {("s3", "AWS_ACCESS_KEY_ID"): "", ("s3", "AWS_SECRET_ACCESS_KEY"): ""}


class BesideCluster(RunnerCluster):
    """Pods ``servers`` play role storage, whose objects are where ``store`` says. ``secrets``: (Secret, key) to value."""

    def __init__(self, store: ObjectStore, servers: dict[str, str] = SERVERS, secrets: dict[tuple[str, str], str] = DATA_SECRET) -> None:
        super().__init__()
        self._objects, self._secrets = store, secrets
        self._running: dict[tuple[str, str], tuple[subprocess.Popen[bytes], Path]] = {}
        self.added: list[dict[str, Any]] = []
        self.ends_at_once = False  # every container ends before its program has said a word
        for name, node in servers.items():
            made = pod(name, node, namespace="ml-training", app="s3", owner="StatefulSet")
            [status] = made.status.container_statuses or []
            made.spec.containers[0].name = status.name = "s3"
            self.pods["ml-training", name] = made

    def platform(self, target: Target | None = None) -> Platform:
        found = target or local_target()
        storage = found.roles["storage"].model_copy(update={"object_store": self._objects})
        return super().platform(found.model_copy(update={"roles": found.roles | {"storage": storage}}))

    def patch_namespaced_pod_ephemeralcontainers(self, name: str, namespace: str, body: Any, dry_run: str = "") -> None:
        found = self._there(self.pods, (namespace, name))
        [added] = body["spec"]["ephemeralContainers"]
        self.added.append(added)
        made = client.V1EphemeralContainer(name=added["name"])
        found.spec.ephemeral_containers = [*(found.spec.ephemeral_containers or []), made]
        assert added["command"][:2] == [FAULT_PYTHON, "-m"]
        assert added["workingDir"] == PROJECT
        variables = {one["name"]: self._value(one) for one in added["env"]}
        command = ["/bin/false"] if self.ends_at_once else [sys.executable, *added["command"][1:]]
        with tempfile.NamedTemporaryFile(delete=False) as log:
            env = {"PATH": os.environ["PATH"], **variables}
            started = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        self._running[name, added["name"]] = started, Path(log.name)

    def at_work(self) -> bool:
        """Tell whether a program has not ended yet."""
        return any(started.poll() is None for started, _ in self._running.values())

    def end(self) -> None:
        """End every program that is still at work."""
        for started, log in self._running.values():
            started.kill()
            started.wait()
            log.unlink()

    def _value(self, variable: dict[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        reference = variable["valueFrom"]["secretKeyRef"]
        return self._secrets[reference["name"], reference["key"]]

    def read_namespaced_pod(self, name: str, namespace: str) -> Any:
        found = super().read_namespaced_pod(name, namespace)
        statuses = []
        for container in found.spec.ephemeral_containers or []:
            started, log = self._running[name, container.name]
            code = started.poll()
            ended = None if code is None else client.V1ContainerStateTerminated(exit_code=code, message=log.read_text(), reason="Error")
            state = client.V1ContainerState(terminated=ended)
            about = {"image": "i", "image_id": "i", "ready": False, "restart_count": 0}
            statuses.append(client.V1ContainerStatus(name=container.name, state=state, **about))
        found.status.ephemeral_container_statuses = statuses
        return found

    def read_namespaced_pod_log(self, name: str, namespace: str, **more: object) -> str:
        running = self._running.get((name, str(more.get("container"))))
        return running[1].read_text() if running else super().read_namespaced_pod_log(name, namespace, **more)


def locally(_platform: object, name: str, _namespace: str, _container: str, command: list[str], *, limit_s: float = 60) -> str:
    """Do as :func:`kube.container_exec.output_of`, with a process of this machine."""
    if name == "s3-gone":
        raise NoData("pod ml-training/s3-gone: it is not there")
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode:
        raise NoData(done.stderr)
    return done.stdout
