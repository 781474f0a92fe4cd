"""Looking into a running container through the API: the processes it has, as its kernel tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson
from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDOUT_CHANNEL

from history.errors import NoData
from history.plan import ResolvedTarget
from kube.channels import open_channels, read_channels
from kube.client import Platform, api_errors
from kube.permissions import Permission, in_namespace
from target.role import Process as Rule

TICKS_PER_S = 100  # USER_HZ, fixed in the kernel's interface
TIMEOUT_S = 5.0
OPEN_S = 5.0  # until a command has begun
NON_ZERO = "NonZeroExitCode"  # the reason that a kubelet gives
LIST = (
    'cat /proc/uptime; for p in /proc/[0-9]*; do s=$(cat $p/stat 2>/dev/null) && echo "$s" '
    "&& { tr '\\0\\n' '  ' 2>/dev/null <$p/cmdline; echo; }; done; true"
)
SOCKETS = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; ls -l /proc/[0-9]*/fd 2>/dev/null; true"
LISTEN = "0A"  # the state of a socket that takes connections
FOLDER = re.compile(r"/proc/(\d+)/fd:")
STAT = re.compile(r"(\d+) \((.*)\) (\S) (.*)")


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``state`` is the kernel's letter: R running, S sleeping, T stopped, Z zombie."""

    pid: int
    name: str
    state: str
    age_s: float
    command: str
    parent: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command in a container ended. Neither ``succeeded`` nor ``failed`` (its own exit code): no end in time, or it never began."""

    succeeded: bool
    failed: bool
    failure: str  # in the words of the kubelet; empty: none came
    output: str
    complaint: str


def permissions(namespace: str) -> list[Permission]:
    """Return what looking into a container in ``namespace`` needs: a WebSocket is a GET, and since Kubernetes 1.35 also a create."""
    return in_namespace(namespace, ("get", "pods"), ("get", "pods/exec"), ("create", "pods/exec"))


def processes(platform: Platform, pod: str, namespace: str, container: str) -> list[Process]:
    """Return the processes that a container sees. It needs ``sh``, ``cat`` and ``tr``.

    Raises:
        NoData: they cannot be seen: no such pod or container, no shell, no answer within 5 s.

    """
    return parse(output_of(platform, pod, namespace, container, ["sh", "-c", LIST]))


def workers(platform: Platform, pod: str, namespace: str, container: str, which: Rule) -> list[Process]:
    """Return the processes of a container of which all holds that ``which`` says: exactly one, if the role says enough.

    Raises:
        NoData: as :func:`processes`.

    """
    found = processes(platform, pod, namespace, container)
    commands = {process.pid: process.command for process in found}
    place = (platform, pod, namespace, container)
    listening = None if which.listens is None else listening_on(output_of(*place, ["sh", "-c", SOCKETS]), which.listens)
    chosen = [
        process
        for process in found
        if (which.match or "") in process.command
        and which.title in {None, process.name}
        and (which.child_of is None or which.child_of in commands.get(process.parent, ""))
        and (listening is None or process.pid in listening)
    ]
    return sorted(chosen, key=lambda process: process.age_s)[:1] if which.pick == "newest" else chosen


def listening_on(text: str, port: int) -> set[int]:
    """Return the processes that listen on a TCP port, from what SOCKETS writes: rows of ``/proc/net/tcp``, then what each has open."""
    rows = [line.split() for line in text.splitlines()]
    sockets = {f"socket:[{row[9]}]" for row in rows if len(row) > 9 and row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port}
    found, pid = set[int](), 0
    for row in rows:
        if len(row) == 1 and (folder := FOLDER.fullmatch(row[0])):
            pid = int(folder[1])
        elif row and row[-1] in sockets:
            found.add(pid)
    return found


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
    with api_errors(what, NoData):
        ran = run_in(platform, (namespace, pod, container), command, limit_s=limit_s)
    if not ran.succeeded:
        because = ran.failure or f"no end within {limit_s:g} s"
        complained = f"{because} {(ran.complaint or ran.output)[-600:].strip()}"
        raise NoData(f"{what}: {complained}; the container's image must have {command[0]}: one without (distroless) cannot be looked into")
    return ran.output


def run_in(platform: Platform, where: tuple[str, str, str], command: list[str], *, limit_s: float, open_s: float = OPEN_S) -> Ran:
    """Run ``command`` in a container (namespace, pod, container) for at most ``limit_s``; it must begin within ``open_s`` (s).

    Raises:
        ApiException: it did not begin: the API server refuses, or the node does not answer.

    """
    namespace, pod, container = where
    asked = [("container", container), *(("command", part) for part in command), ("stdout", "true"), ("stderr", "true")]
    socket = open_channels(platform, f"/api/v1/namespaces/{namespace}/pods/{pod}/exec", asked, open_s)
    said = read_channels(socket, limit_s)
    end = orjson.loads(said.get(ERROR_CHANNEL) or b"{}")
    output, complaint = (said.get(channel, b"").decode(errors="replace") for channel in (STDOUT_CHANNEL, STDERR_CHANNEL))
    return Ran(end.get("status") == "Success", end.get("reason") == NON_ZERO, end.get("message") or "", output, complaint)


def parse(text: str) -> list[Process]:
    """Parse what LIST writes: the machine's uptime, then two lines a process: ``/proc/PID/stat`` and its command line."""
    lines = text.split("\n")
    uptime_s = float(lines[0].split()[0])
    found = []
    for stat, command in zip(lines[1::2], lines[2::2], strict=False):
        match = STAT.fullmatch(stat)
        if match:
            started_s = int(match[4].split()[18]) / TICKS_PER_S  # field 22 of proc_pid_stat(5)
            parent = int(match[4].split()[0])  # field 4
            found.append(Process(int(match[1]), match[2], match[3], uptime_s - started_s, command.strip(), parent))
    return found
