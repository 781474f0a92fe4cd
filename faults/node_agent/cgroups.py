"""Out of a fault pod's control groups, into those of its node: for what must outlive the pod. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from faults.node_agent.node import Refused, enter, read

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
