"""Ephemeral containers: one process of one pod is signalled from inside, without privileges and without changing the pod's own containers.

The container shares the process namespace of the target container (``targetContainerName``), runs as the same user (so it needs no
capability), and satisfies Pod Security ``restricted``. It cannot be removed from the pod's spec again: the pod is replaced at the end.
"""

from __future__ import annotations

from pathlib import Path

import orjson
from kubernetes.client import V1ContainerState
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, TargetRefused
from kube.client import Platform, api_errors
from kube.containers import status_of
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from kube.wait import until
from target.suite_image import FAULT_PYTHON

SCRIPT = Path(__file__).parents[1] / "node_agent" / "signal_process.py"
START_S = 20.0  # for the kubelet to start the container and the signal to be sent
PREFIX = "aftershock-signal-"


def permissions(namespace: str) -> list[Permission]:
    """Return what signalling a process in ``namespace`` needs, and replacing the pod afterwards."""
    asked = [("get", "pods"), ("list", "pods"), ("patch", "pods/ephemeralcontainers"), ("get", "pods/log"), ("create", "pods/eviction")]
    return in_namespace(namespace, *asked)


def user_of(pod: Pod, container: str) -> int:
    """Return the user id of a running container: as the kubelet reports it, else as the pod's spec says.

    Raises:
        TargetRefused: there is no such container, or neither says.

    """
    spec = next((one for one in pod.spec.containers if one.name == container), None)
    if spec is None:
        names = ", ".join(one.name for one in pod.spec.containers)
        raise TargetRefused(f"pod {pod.metadata.name}: it has no container {container!r}, it has {names}; correct the role's container")
    status = status_of(pod, container)
    if status and status.user and status.user.linux:
        return int(status.user.linux.uid)
    for context in (spec.security_context, pod.spec.security_context):
        if context and context.run_as_user is not None:
            return int(context.run_as_user)
    raise TargetRefused(f"pod {pod.metadata.name}: nobody says as which user container {container} runs; set runAsUser in its manifest")


def ephemeral_container(pod: Pod, container: str, image: str, process: str, for_s: float, *, share: float = 1.0) -> dict[str, object]:
    """Return the ephemeral container that signals the process in ``container`` whose command line contains ``process``."""
    user = user_of(pod, container)
    environment = {"AFTERSHOCK_PROCESS": process, "AFTERSHOCK_FOR_S": f"{for_s:g}", "AFTERSHOCK_SHARE": f"{share:g}"}
    return {
        "name": f"{PREFIX}{len(pod.spec.ephemeral_containers or []) + 1}",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "targetContainerName": container,
        "command": [FAULT_PYTHON, "-c", SCRIPT.read_text()],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsUser": user,
            "runAsNonRoot": user != 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def signal_process(platform: Platform, pod: Pod, container: str, process: str, for_s: float, *, share: float = 1.0) -> dict[str, object]:
    """Add the ephemeral container to ``pod`` and wait until it has sent its first signal; return its own account of it.

    It kills the process (``for_s`` 0), or stops it for ``share`` of the time for ``for_s`` seconds.

    Raises:
        FaultFailed: it was not admitted, did not start within 20 s, or found no such process.

    """
    name, namespace = pod.metadata.name, pod.metadata.namespace
    added = ephemeral_container(pod, container, platform.target.fault_image, process, for_s, share=share)
    ours = str(added["name"])
    body = {"metadata": {"uid": pod.metadata.uid}, "spec": {"ephemeralContainers": [added]}}
    with api_errors(f"pod {namespace}/{name}: add an ephemeral container", FaultFailed):
        platform.core.patch_namespaced_pod_ephemeralcontainers(name, namespace, body)
        until(lambda: _has_spoken(platform, name, namespace, ours), START_S)
        account = _account(platform, name, namespace, ours)
    if not account or "did" not in account[0]:
        said = account[0].get("refused") if account else _why_not_started(platform, name, namespace, ours)
        raise FaultFailed(f"pod {namespace}/{name}: no process was signalled in container {container}: {said}; correct the role's engine")
    return account[0]


def _has_spoken(platform: Platform, name: str, namespace: str, container: str) -> bool:
    state = _state(platform, name, namespace, container)
    return bool(_account(platform, name, namespace, container)) or bool(state and state.terminated)


def _account(platform: Platform, name: str, namespace: str, container: str) -> list[dict[str, object]]:
    """Return the lines of the container's log; none while it has not started."""
    try:
        text: str = platform.core.read_namespaced_pod_log(name, namespace, container=container)
    except ApiException as error:
        if error.status in {400, 404}:  # not started yet; gone with its pod
            return []
        raise
    return [orjson.loads(line) for line in text.splitlines() if line.startswith("{")]


def _state(platform: Platform, name: str, namespace: str, container: str) -> V1ContainerState | None:
    statuses = platform.pod(name, namespace).status.ephemeral_container_statuses or []
    return next((status.state for status in statuses if status.name == container), None)


def _why_not_started(platform: Platform, name: str, namespace: str, container: str) -> str:
    state = _state(platform, name, namespace, container)
    if state and state.terminated:
        return f"it ended with status {state.terminated.exit_code} ({(state.terminated.message or state.terminated.reason or '').strip()})"
    if state and state.waiting:
        return f"it did not start within {START_S:g} s ({state.waiting.reason}: {state.waiting.message})"
    return f"the kubelet did not start it within {START_S:g} s"
