"""Load workers as pods of the platform, in the suite's namespace: what they are, what they need, and the way to their program.

A pod has no token, no capability and no root. No load outlives its run: a pod ends at once when the suite's connection to it ends
(``stdinOnce``), and by its own deadline. It stands on no node that the run's fault touches.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

import orjson
from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL, get_websocket_url
from websocket import WebSocketException

from faults.mechanisms.fault_pod import RUN_LABEL, label_of
from history.errors import TargetRefused
from history.plan import Plan
from kube.client import Platform, api_errors, unless
from kube.connection.websocket import WSClient
from kube.containers import AS_NOBODY, CONFINED, said_of
from kube.objects import Pod
from kube.permissions import Permission
from runner.drivers.driver import WorkloadFailed
from runner.drivers.requests.load import POD_S
from safety.reaper_job import placement
from target.requests import RequestsClass
from target.secrets.hiding import excerpt
from target.suite_image import PROJECT, PYTHON
from target.target import Target
from target.workload import WorkloadClass

MANAGED = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "load"}
CONTAINER, FOLDER = "load", "/tmp/run"  # noqa: S108 - in the pod, on a volume of its own
MARGIN_S = 60.0  # beyond everything that is planned
GRACE_S = 5.0  # beyond the client's time-out
POLL_S = 0.2
SILENT_S = 15.0  # the pod says ten times a second what is new
FRAME_S = 15.0  # for the rest of a frame that has begun
ATTACH_S, PAUSE_S = 15.0, 0.5  # a kubelet may know of a running container a little later than it says so
STDERR = 2


class Lost(Exception):
    """The pod's program is not heard any more; the text says how that was noticed."""


class Stream:
    """The stdin, stdout and stderr of a pod's program (:mod:`workloads.load.pod`): a JSON object a line, over one WebSocket."""

    def __init__(self, client: WSClient) -> None:
        self._client, self._line, self._broke, self._last_s = client, b"", "", time.monotonic()
        client.sock.settimeout(FRAME_S)

    def send(self, **order: object) -> None:
        """Write an order to the program's stdin. Raises Lost."""
        self._last_s = time.monotonic()
        try:
            self._client.write_stdin(orjson.dumps(order, option=orjson.OPT_APPEND_NEWLINE))
        except (WebSocketException, OSError) as error:
            raise Lost(f"it cannot be told anything ({error})") from error

    def receive(self, wait_s: float) -> list[dict[str, Any]]:
        """Return the messages that came within ``wait_s``.

        Raises Lost: the connection is over and all that came was returned, or the program has said nothing for 15 s.
        """
        open_before = self._client.is_open()
        data = self._read(STDOUT_CHANNEL, wait_s)
        os.write(STDERR, self._read(STDERR_CHANNEL))
        if not data and not open_before:
            said = excerpt(self._read(ERROR_CHANNEL).decode(errors="replace"), 200)
            raise Lost(self._broke or f"it ended without an end mark: {said or 'no reason is given'}")
        if data:
            self._last_s = time.monotonic()
        elif time.monotonic() - self._last_s > SILENT_S:
            raise Lost(f"nothing was heard of it for {SILENT_S:.0f} s")
        *lines, self._line = (self._line + data).split(b"\n")
        return [orjson.loads(line) for line in lines]

    def _read(self, channel: int, wait_s: float = 0.0) -> bytes:
        """Return what came on a channel, also if the connection broke just behind it."""
        try:
            data = self._client.read_channel(channel, wait_s)
        except (WebSocketException, OSError) as error:
            self._broke = f"the connection to it broke ({error})"
            self._client.close()
            data = self._client.read_channel(channel)
        return bytes(data)


def wanted(workload: WorkloadClass) -> bool:
    """Tell whether the load's workers are pods of the platform."""
    return isinstance(workload, RequestsClass) and workload.load.workers_as == "pods"


def permissions(namespace: str) -> list[Permission]:
    """Return what making, hearing and removing load pods needs: a WebSocket is a GET, and since Kubernetes 1.35 also a create."""
    asked = [*((verb, "pods") for verb in ("create", "get", "list", "delete")), ("get", "pods/attach"), ("create", "pods/attach")]
    return [Permission(verb, resource, namespace=namespace) for verb, resource in asked]


def name_of(run_id: str, worker: int) -> str:
    """Return the name of a run's load pod."""
    return f"aftershock-load-{hashlib.sha256(run_id.encode()).hexdigest()[:12]}-{worker}"


def manifest(target: Target, plan: Plan, worker: int) -> dict[str, Any]:
    """Return the pod of one worker."""
    lasts_s = POD_S + plan.requests.load.horizon_s + plan.requests.load.timeout_s + MARGIN_S
    made = shape(target, plan.run_id, worker, lasts_s=lasts_s, grace_s=plan.requests.load.timeout_s + GRACE_S)
    if any(one.node for one in plan.targets):
        made["spec"]["affinity"] = {"nodeAffinity": placement(plan.targets, [])}
    return made


def shape(target: Target, run_id: str, worker: int, *, lasts_s: float, grace_s: float) -> dict[str, Any]:
    """Return a load pod that may stand on any node, ends after ``lasts_s`` and may drain for ``grace_s``."""
    labels = MANAGED | {RUN_LABEL: label_of(run_id)}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": int(lasts_s),
        "terminationGracePeriodSeconds": int(grace_s),
        "topologySpreadConstraints": [spread | {"labelSelector": {"matchLabels": labels}}],
        "securityContext": AS_NOBODY,
        "containers": [container(target)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}],
    }
    return {"metadata": {"name": name_of(run_id, worker), "labels": labels}, "spec": spec}


def container(target: Target) -> dict[str, object]:
    """Return the container: it reads what to do from stdin and writes the record to stdout."""
    environment = {"HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}  # noqa: S108 - in the pod
    return {
        "name": CONTAINER,
        "image": target.suite.image,
        "imagePullPolicy": "IfNotPresent",
        "workingDir": PROJECT,
        "command": [PYTHON, "-m", "workloads.load.pod", FOLDER],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "stdin": True,
        "stdinOnce": True,
        # no limit on CPU: a throttled generator sends late, and one process uses a core at most
        "resources": {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": CONFINED,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
    }


def check(platform: Platform) -> None:
    """Ask the API server by a dry run whether it would admit a load pod. Raises TargetRefused: nothing was made."""
    namespace = platform.target.suite.namespace
    body: Any = shape(platform.target, "preflight", 0, lasts_s=MARGIN_S, grace_s=GRACE_S)
    with api_errors(f"load pods in the suite's namespace {namespace} (asked by a server-side dry run)", TargetRefused):
        platform.core.create_namespaced_pod(namespace, body, dry_run="All")


def create(platform: Platform, plan: Plan, worker: int) -> None:
    """Make the pod of one worker. Raises WorkloadFailed: it is not admitted (quota, webhook, Pod Security, permission)."""
    namespace = platform.target.suite.namespace
    body: Any = manifest(platform.target, plan, worker)
    with api_errors(f"make a load pod for worker {worker} in the suite's namespace {namespace}", WorkloadFailed):
        platform.core.create_namespaced_pod(namespace, body)


def wait_running(platform: Platform, name: str) -> Pod:
    """Wait until the pod runs and return it. Raises WorkloadFailed: it ended, or does not run in time; the sentence says why."""
    until_s = time.monotonic() + POD_S
    while True:
        pod = read(platform, name)
        if pod.status.phase == "Running":
            return pod
        if pod.status.phase != "Pending" or time.monotonic() > until_s:
            conditions = [one.message for one in pod.status.conditions or [] if one.status == "False" and one.message]
            said = ", ".join([said_of(pod), *conditions])
            late = "" if pod.status.phase != "Pending" else f" after {POD_S:.0f} s"
            raise WorkloadFailed(f"load pod {name}: it does not run{late} ({said}); make room, or let workers be processes")
        time.sleep(POLL_S)


def attach(platform: Platform, pod: str) -> Stream:
    """Attach to a load pod's program. Raises Lost: it cannot be attached to within 15 s."""
    path = f"/api/v1/namespaces/{platform.target.suite.namespace}/pods/{pod}/attach"
    query = [("container", CONTAINER), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    _, url, headers, *_ = platform.api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"])
    until_s = time.monotonic() + ATTACH_S
    while True:
        try:  # not stream() of the library: it keeps all that was ever said
            client = WSClient(platform.api.configuration, get_websocket_url(url), headers, capture_all=False, binary=True)
        except (WebSocketException, OSError) as error:
            if time.monotonic() > until_s:
                raise Lost(f"it cannot be attached to ({error})") from error
            time.sleep(PAUSE_S)
        else:
            return Stream(client)


def read(platform: Platform, name: str) -> Pod:
    """Return the V1Pod called ``name``. Raises WorkloadFailed: it is gone, or cannot be asked for."""
    with api_errors(f"load pod {name}", WorkloadFailed):
        return platform.pod(name, platform.target.suite.namespace)


def remove(platform: Platform, name: str) -> None:
    """Delete the pod, which drains if its worker still runs; do not wait for it. Raises WorkloadFailed."""
    with api_errors(f"remove load pod {name}", WorkloadFailed), unless(404):
        platform.core.delete_namespaced_pod(name, platform.target.suite.namespace)
