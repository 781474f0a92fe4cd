"""Looking into a running container through the API: the processes it has, as its kernel tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson
from kubernetes import client
from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL
from websocket import WebSocketException

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.connection.websocket import stream
from kube.permissions import Permission, in_namespace

TICKS_PER_S = 100  # USER_HZ, fixed in the kernel's interface
TIMEOUT_S = 5.0
LIST = (
    'cat /proc/uptime; for p in /proc/[0-9]*; do s=$(cat $p/stat 2>/dev/null) && echo "$s" '
    "&& { tr '\\0\\n' '  ' 2>/dev/null <$p/cmdline; echo; }; done; true"
)
STAT = re.compile(r"(\d+) \((.*)\) (\S) (.*)")


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``state`` is the kernel's letter: R running, S sleeping, T stopped, Z zombie."""

    pid: int
    name: str
    state: str
    age_s: float
    command: str


def permissions(namespace: str) -> list[Permission]:
    """Return what looking into a container in ``namespace`` needs: a WebSocket is a GET, and since Kubernetes 1.35 also a create."""
    return in_namespace(namespace, ("get", "pods"), ("get", "pods/exec"), ("create", "pods/exec"))


def processes(platform: Platform, pod: str, namespace: str, container: str) -> list[Process]:
    """Return the processes that a container sees. It needs ``sh``, ``cat`` and ``tr``.

    Raises:
        NoData: they cannot be seen: no such pod or container, no shell, no answer within 5 s.

    """
    return parse(output_of(platform, pod, namespace, container, ["sh", "-c", LIST]))


def output_in(platform: Platform, target: ResolvedTarget, role: str, command: list[str]) -> str:
    """Run ``command`` in a target's pod, in the container of its ``role``; return its standard output.

    Raises:
        NoData: as :func:`processes`; or the role names no container.

    """
    container = platform.target.role(role).container
    if container is None:
        raise NoData(f"pod {target.namespace}/{target.name}: role {role} of the target file names no container; add it")
    return output_of(platform, target.name, target.namespace or "", container, command)


def output_of(platform: Platform, pod: str, namespace: str, container: str, command: list[str], *, limit_s: float = TIMEOUT_S) -> str:
    """Run ``command`` in a container, for at most ``limit_s`` seconds, and return its standard output.

    Its complaints only reach an error.

    Raises:
        NoData: as :func:`processes`.

    """
    what = f"pod {namespace}/{pod}: run {command[0]} in container {container}"
    api = client.CoreV1Api(client.ApiClient(platform.api.configuration))  # its own: stream() changes the client it uses
    with api_errors(what, NoData):
        platform.core.read_namespaced_pod(pod, namespace)  # bounded in time, unlike the handshake below
        try:
            session = stream(
                api.connect_get_namespaced_pod_exec, pod, namespace, container=container, command=command,
                stdin=False, stdout=True, stderr=True, tty=False, _preload_content=False,
            )  # fmt: skip
        except (WebSocketException, OSError) as error:
            raise NoData(f"{what}: {error}") from error
        try:
            session.run_forever(timeout=limit_s)
            verdict = orjson.loads(session.read_channel(ERROR_CHANNEL) or "{}")
            output, complaint = (str(session.read_channel(channel)) for channel in (STDOUT_CHANNEL, STDERR_CHANNEL))
        finally:
            session.sock.shutdown()  # close() would leave the socket open once the other side has said goodbye
    if verdict.get("status") != "Success":
        said = verdict.get("message") or f"no end within {limit_s:g} s"
        complained = f"{said} {(complaint or output)[-600:].strip()}"
        raise NoData(f"{what}: {complained}; the container's image must have {command[0]}: one without (distroless) cannot be looked into")
    return output


def parse(text: str) -> list[Process]:
    """Parse what LIST writes: the machine's uptime, then two lines a process: ``/proc/PID/stat`` and its command line."""
    lines = text.split("\n")
    uptime_s = float(lines[0].split()[0])
    found = []
    for stat, command in zip(lines[1::2], lines[2::2], strict=False):
        match = STAT.fullmatch(stat)
        if match:
            started_s = int(match[4].split()[18]) / TICKS_PER_S  # field 22 of proc_pid_stat(5)
            found.append(Process(int(match[1]), match[2], match[3], uptime_s - started_s, command.strip()))
    return found
