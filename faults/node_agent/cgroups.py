"""Out of a fault pod's control groups, into those of its node: for what must outlive the pod. Standard library only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from faults.node_agent.node import Refused, enter, pids, read, uid_in

NODE_INIT = 1  # with hostPID: the node's own first process


def leave(pid: int) -> None:
    """Put process ``pid`` into the control groups of the node's first process. Raises Refused: it can't get there."""
    mover = os.fork()
    if not mover:
        _move(pid)
    os.waitpid(mover, 0)
    if read(f"/proc/{pid}/cgroup") != read(f"/proc/{NODE_INIT}/cgroup"):
        raise Refused("a process could not leave the pod's control groups: it would die with the pod, so nothing is set")


def enter_node(kind: str) -> None:
    """Let this process see the node's own namespace of that ``kind``. Raises OSError."""
    enter(os.open(f"/proc/{NODE_INIT}/ns/{kind}", os.O_RDONLY), f"enter the node's {kind} namespace")


def _move(pid: int) -> None:
    """Be the mover: seen from the node's own namespaces, all hierarchies are writable."""
    status = 1
    try:
        for kind in ("cgroup", "mnt"):
            enter_node(kind)
        for folder in folders(read(f"/proc/{NODE_INIT}/cgroup"), read(f"/proc/{NODE_INIT}/mountinfo")):
            Path(folder, "cgroup.procs").write_text(str(pid))
        status = 0
    finally:
        os._exit(status)


def on_node(work: Callable[[], str]) -> str:
    """Return what ``work`` does, seen from the node's own namespaces, where every hierarchy is writable. Raises OSError, as it says it."""
    reading, writing = os.pipe()
    worker = os.fork()
    if not worker:
        _work(work, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    if os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]):
        raise OSError(said or "a process of the fault pod ended in the node's namespaces")
    return said


def _work(work: Callable[[], str], writing: int) -> None:
    """Be the worker: its answer, or what went wrong, goes into the pipe."""
    status, said = 1, ""
    try:
        for kind in ("cgroup", "mnt"):
            enter_node(kind)
        said = work()
        status = 0
    except (OSError, ValueError) as error:
        said = str(error)
    finally:
        os.write(writing, said.encode())
        os._exit(status)


def group_of(uid: str, container: str) -> list[str]:
    """Return the folders of a container's control groups, seen from the node's own namespaces. Raises OSError: it does not run here."""
    own = [groups for pid in pids() if container in (groups := read(f"/proc/{pid}/cgroup")) and uid_in(groups, uid)]
    if not own:
        raise OSError(f"pod {uid}: no process of its container {container[:12]} runs on this node")
    # a container may have groups of its own below that with its limits
    outer = re.sub(rf"({re.escape(container)}[^/\n]*)/.*", r"\1", own[0])
    return folders(outer, read(f"/proc/{NODE_INIT}/mountinfo"))


def folders(groups: str, mounts: str) -> list[str]:
    """Return the folder of each control group in ``groups`` (as in /proc/PID/cgroup), by the mounts (as in /proc/PID/mountinfo)."""
    mounted: dict[str, tuple[str, str]] = {}  # controllers, sorted (empty: version 2) -> mount point, root
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            mounted[""] = left.split()[4], left.split()[3]
        elif right.startswith("cgroup "):
            for option in right.split()[-1].split(","):
                mounted[option] = left.split()[4], left.split()[3]
    found = []
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        point = mounted.get(controllers.split(",")[0])
        if point:
            inner = os.path.relpath(path, point[1]) if point[1] != "/" else path.lstrip("/")
            found.append(str(Path(point[0], inner)))
    return found
