"""Ephemeral containers: a program of the suite beside a container of somebody else's pod, without privileges and without changing the pod.

It shares the process namespace of the target container (``targetContainerName``) and the pod's network. It runs as the same user and group,
so it needs no capability, and satisfies Pod Security ``restricted``. Kubernetes does not let it be removed from the pod's spec again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client import V1ContainerState
from kubernetes.client.exceptions import ApiException

from history.errors import NoData, TargetRefused
from kube.client import Platform
from kube.containers import names_of, objects_in, status_of
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from kube.wait import until

KILLED = 128  # an exit code from here on is a signal's


@dataclass(frozen=True, slots=True)
class Program:
    """What an ephemeral container runs. ``secrets``: variable to (Secret, key), which only the kubelet reads."""

    image: str
    command: Sequence[str]
    env: Mapping[str, str]
    secrets: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    folder: str = ""  # where it runs

    @property
    def variables(self) -> list[dict[str, Any]]:
        """Its environment, as a manifest has it."""
        plain: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in self.env.items()]
        references = {name: {"secretKeyRef": {"name": secret, "key": key}} for name, (secret, key) in self.secrets.items()}
        return plain + [{"name": name, "valueFrom": reference} for name, reference in references.items()]


def permissions(namespace: str) -> list[Permission]:
    """Return what adding a container to a pod in ``namespace``, and hearing it, needs."""
    return in_namespace(namespace, ("get", "pods"), ("patch", "pods/ephemeralcontainers"), ("get", "pods/log"))


def user_of(pod: Pod, container: str) -> int:
    """Return the user id of a running container: as the kubelet reports it, else as the pod's spec says.

    Raises:
        TargetRefused: there is no such container, or neither says.

    """
    user = _identity(pod, container, "uid", "run_as_user")
    if user is None:
        raise TargetRefused(f"pod {pod.metadata.name}: nobody says as which user container {container} runs; set runAsUser in its manifest")
    return user


def _identity(pod: Pod, container: str, reported: str, wanted: str) -> int | None:
    """Return a running container's user or group: as the kubelet reports it, else as the pod's spec says; None: neither does."""
    spec = next((one for one in pod.spec.containers if one.name == container), None)
    if spec is None:
        raise TargetRefused(
            f"pod {pod.metadata.name}: it has no container {container!r}, it has {names_of(pod)}; correct the role's container"
        )
    status = status_of(pod, container)
    if status and status.user and status.user.linux:
        return int(getattr(status.user.linux, reported))
    said = (getattr(context, wanted) for context in (spec.security_context, pod.spec.security_context) if context)
    return next((int(one) for one in said if one is not None), None)


def manifest(pod: Pod, container: str, prefix: str, program: Program) -> dict[str, Any]:
    """Return an ephemeral container that runs ``program`` beside ``container``, as its user and group.

    Raises:
        TargetRefused: as :func:`user_of`.

    """
    user, group = user_of(pod, container), _identity(pod, container, "gid", "run_as_group")
    return {
        "name": f"{prefix}{len(pod.spec.ephemeral_containers or []) + 1}",
        "image": program.image,
        "imagePullPolicy": "IfNotPresent",
        "targetContainerName": container,
        "command": list(program.command),
        **({"workingDir": program.folder} if program.folder else {}),
        "env": program.variables,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsUser": user,
            **({} if group is None else {"runAsGroup": group}),
            "runAsNonRoot": user != 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def add(platform: Platform, pod: Pod, added: Mapping[str, Any], *, dry_run: bool = False) -> None:
    """Add the container to ``pod``, if that is still the same pod. Raises ApiException: it was not admitted."""
    body = {"metadata": {"uid": pod.metadata.uid}, "spec": {"ephemeralContainers": [added]}}
    asked: dict[str, Any] = {"dry_run": "All"} if dry_run else {}
    platform.core.patch_namespaced_pod_ephemeralcontainers(pod.metadata.name, pod.metadata.namespace, body, **asked)


def ended(pod: Pod, prefix: str) -> bool:
    """Tell whether each of a V1Pod's ephemeral containers whose name begins so has ended by itself.

    One that was killed may have left its work undone. True as well if the pod has none.
    """
    names = {one.name for one in pod.spec.ephemeral_containers or [] if one.name.startswith(prefix)}
    states = {one.name: one.state.terminated for one in pod.status.ephemeral_container_statuses or [] if one.state}
    return all((state := states.get(name)) is not None and state.exit_code < KILLED for name in names)


def line_with(platform: Platform, pod: Pod, name: str, word: str, limit_s: float) -> dict[str, Any]:
    """Wait for the line of the container's log that has ``word``, and return it.

    Raises:
        ApiException: other than 400 and 404: not started yet, gone with its pod.
        NoData: it refused, failed, or has not said that in time; the text says why.

    """
    for line in until(lambda: _said_or_ended(platform, pod, name, word), limit_s) or _lines(platform, pod, name):
        if word in line:
            return line
        if why := line.get("refused") or line.get("failed"):
            raise NoData(str(why))
    raise NoData(_why_silent(platform, pod, name, limit_s))


def _said_or_ended(platform: Platform, pod: Pod, name: str, word: str) -> list[dict[str, Any]]:
    state = _state(platform, pod, name)  # before the log: what it said until it ended is in there then
    lines = _lines(platform, pod, name)
    if any({word, "refused", "failed"} & line.keys() for line in lines):
        return lines
    return lines or [{}] if state and state.terminated else []


def _lines(platform: Platform, pod: Pod, name: str) -> list[dict[str, Any]]:
    try:
        text: str = platform.core.read_namespaced_pod_log(pod.metadata.name, pod.metadata.namespace, container=name)
    except ApiException as error:
        if error.status in {400, 404}:  # not started yet; gone with its pod
            return []
        raise
    return objects_in(text)


def _state(platform: Platform, pod: Pod, name: str) -> V1ContainerState | None:
    statuses = platform.pod(pod.metadata.name, pod.metadata.namespace).status.ephemeral_container_statuses or []
    return next((status.state for status in statuses if status.name == name), None)


def _why_silent(platform: Platform, pod: Pod, name: str, limit_s: float) -> str:
    """Return why the container said nothing of use: how it ended, or what it waits for."""
    state = _state(platform, pod, name)
    if state and state.terminated:
        return f"it ended with status {state.terminated.exit_code} ({(state.terminated.message or state.terminated.reason or '').strip()})"
    if state and state.waiting:
        return f"it did not start within {limit_s:g} s ({state.waiting.reason}: {state.waiting.message})"
    return f"the kubelet did not start it within {limit_s:g} s"
