"""The memory of a container is taken until its limit is passed and the kernel kills there. Standard library only.

A process of this program joins the control group of the container and writes to a file in memory, which counts as the group's and as no
process's own: the kernel chooses the largest of the container's processes. It gives all back as soon as the kernel has killed, when the
time is over, and when this program ends. So it cannot outlive the container's limit, the time, or the fault pod.

While it takes, it is one of those whom the kernel may choose: by the memory that a process has, and a share of the limit by its
``oom_score_adj`` (oom_badness in the kernel's mm/oom_kill.c). Kubernetes spares pods with high requests by a low one. So it is refused
where the choice would fall on this program and not on the container, unless the kernel kills the group as a whole.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from faults.node_agent.cgroups import enter_node, group_of, on_node
from faults.node_agent.commands import command, container_id, pod_uid
from faults.node_agent.node import Effect, Refused, read

V2 = ("memory.max", "memory.events")
V1 = ("memory.limit_in_bytes", "memory.oom_control")
NO_LIMIT = 1 << 50  # version 1 says so of a group without one: nearly 2^63
CHUNK = bytes(4 << 20)
PR_SET_PDEATHSIG = 1
ENDED_S = 5.0
WHOLE = "memory.oom.group"  # of version 2: 1 where the kernel kills all processes of a group at once
SCORE = 1000  # of oom_score_adj: all of the limit
RESERVE = 256 << 20  # so much the node keeps


class Group(NamedTuple):
    """A control group: its folder, its limit of memory (bytes), and the file in which the kernel counts its kills."""

    folder: str
    limit: int
    counts: str


@command("memory-eat", "take the memory of one container until the kernel kills there", pod=pod_uid, container=container_id)
def _eat(it: argparse.Namespace) -> Effect:
    return eating(it.pod, it.container)


def eating(uid: str, container: str) -> Effect:
    """Return the exhaustion of a container's memory. Raises Refused: it does not run here, or has no limit of memory."""
    try:
        folder, limit, counts = on_node(lambda: "\n".join(map(str, _checked(group_in(group_of(uid, container)))))).split("\n")
    except OSError as error:
        raise Refused(str(error)) from error
    reading, go = os.pipe()
    eater = _started(Group(folder, int(limit), counts), reading)
    return Effect("memory-eat", lambda: _tell(go), lambda: _stop(eater))


def group_in(groups: list[str]) -> Group:
    """Return the one of the folders ``groups`` that limits memory. Raises OSError: none does."""
    for folder in map(Path, groups):
        for limits, counts in (V2, V1):
            if (folder / limits).is_file() and (folder / counts).is_file():
                limit = (folder / limits).read_text().strip()
                if limit == "max" or int(limit) >= NO_LIMIT:
                    raise OSError("its container has no limit of memory: what is taken there would be its node's")
                return Group(str(folder), int(limit), str(folder / counts))
    raise OSError("its control group does not count memory: the memory controller is not there for it")


def _checked(group: Group) -> Group:
    """Return ``group``. Raises OSError: it has no process, or the kernel would kill this program before any of them."""
    whole = Path(group.folder, WHOLE)
    if whole.is_file() and whole.read_text().strip() == "1":
        return group
    own = Process.of("self")
    theirs = [Process.of(pid) for procs in lists_of(group.folder) for pid in read(str(procs)).split()]
    if not theirs:
        raise OSError("no process is in its container's control group any more, so the kernel could kill none there; has it just ended?")
    if max(one.badness(group.limit) for one in theirs) <= own.badness(group.limit):
        adjusted = max(one.adjusted for one in theirs)
        raise OSError(
            f"the kernel would kill the fault pod's own process first: its oom_score_adj is {own.adjusted}, that of the container's "
            f"processes at most {adjusted}, and none of them has so much more memory; a pod with a lower request of memory, or a node on "
            "which the kernel kills a container as a whole (control groups of version 2, Kubernetes 1.28), can be tried"
        )
    return group


def lists_of(folder: str) -> list[Path]:
    """Return the lists of the processes of a control group and of those below it, the group's own first."""
    found = [Path(group, "cgroup.procs") for group, _, files in os.walk(folder) if "cgroup.procs" in files]  # who went is passed over
    return sorted(found, key=lambda path: len(path.parts))


class Process(NamedTuple):
    """What the kernel chooses a process by: its memory (bytes), and by how much of the limit (of 1000) it is moved."""

    memory: int
    adjusted: int

    @classmethod
    def of(cls, pid: str) -> Process:
        """Read it; of a process that is gone, nothing."""
        status = dict(line.partition(":")[::2] for line in read(f"/proc/{pid}/status").splitlines())
        kib = sum(int(status.get(name, "0").split()[0]) for name in ("VmRSS", "VmSwap", "VmPTE"))
        return cls(kib * 1024, int(read(f"/proc/{pid}/oom_score_adj") or -SCORE))

    def badness(self, limit: int) -> float:
        """Return what the kernel weighs it by (bytes): of several the largest is killed; one that is moved by all of it, never."""
        return float("-inf") if self.adjusted == -SCORE else self.memory + self.adjusted * limit / SCORE


def kills_in(counts: str) -> int:
    """Return how often the kernel has killed in a group for lack of memory, by the text of its file; 0 where it does not count (< 4.13)."""
    return next((int(line.split()[1]) for line in counts.splitlines() if line.startswith("oom_kill ")), 0)


def _started(group: Group, reading: int) -> int:
    """Start the process that takes the memory once ``reading`` says so, and that ends with this program; return a descriptor of it."""
    pid = os.fork()
    if not pid:
        _be_eater(group, reading)
    return os.pidfd_open(pid)


def _be_eater(group: Group, reading: int) -> None:
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for kind in ("cgroup", "mnt"):
            enter_node(kind)
        if os.read(reading, 1):
            join(group.folder)
            eat(group)
    finally:
        os._exit(0)


def join(folder: str) -> None:
    """Let this process join a control group, or else one below it: what that takes counts as the upper one's, too.

    In version 2 a group whose controllers are handed on to groups below takes no process. Raises OSError: none takes it.
    """
    for procs in lists_of(folder):
        with suppress(OSError):
            procs.write_text(str(os.getpid()))
            return
    raise OSError(f"{folder}: no control group takes a process")


def eat(group: Group) -> int:
    """Write to a file in memory until the kernel has killed in the group, or as much as its limit was written; return how much (bytes).

    It stops where its node runs short: a limit may be larger than what the node has, and then the kernel would kill in other pods.
    """
    before, written = kills_in(Path(group.counts).read_text()), 0
    kept = os.memfd_create("memory")
    while written < group.limit and kills_in(Path(group.counts).read_text()) == before and available() > RESERVE:
        try:
            written += os.write(kept, CHUNK)
        except OSError:  # there is none to be had, and nobody was killed yet
            break
    os.close(kept)
    return written


def available() -> int:
    """Return how much memory the node could give (bytes)."""
    [kib] = [line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:")]
    return int(kib) * 1024


def _tell(go: int) -> None:
    os.write(go, b"1")


def _stop(eater: int) -> None:
    """End the process, whoever its parent is, and wait until what it took is given back."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(eater, signal.SIGKILL)
    select.select([eater], [], [], ENDED_S)
