"""A folder of a pod's volume that is full, fails or is slow: a FUSE file system mounted over it, in the pod's own mounts alone.

The program behind it (``cluster/go/disk``) passes everything through to the folder below and does the harm on the way; the disk itself is
well, and nobody else meets anything. It runs in the node's own namespaces and control groups, so that what was opened through it reaches
the disk even after the fault pod is gone: when the fault ends, it is told to do no more harm and unmounted, lazily if files are open, and
the program ends with the last of them. If it dies, the fault ends at once: what it served would answer ENOTCONN otherwise.

Files that were open before, and a working directory in the folder, stay on the disk below: the first is so with every such tool that does
not stop the pod's processes, the second is refused. Runs in a fault pod; standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from faults.node_agent import cgroups
from faults.node_agent.commands import command, pod_uid, whole
from faults.node_agent.mount_table import FUSE, mount_at
from faults.node_agent.mounts import Place, inside, places
from faults.node_agent.node import Effect, Refused, checked, processes_of

PROGRAM = "aftershock-disk"
DEVICE = "/dev/fuse"  # of the node
MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
START_S = 10.0


@dataclass(slots=True)
class Disk:
    """One container's folder and the program that serves it, from :meth:`begin` on; process 0: there is none yet."""

    place: Place
    path: str
    words: tuple[str, ...]
    program: int
    below: int
    leash: tuple[int, int] = field(default_factory=os.pipe)
    pid: int = 0

    def begin(self) -> None:
        """Mount it and wait until it is served. Raises OSError."""
        hears, says = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            self._become(says)
        os.close(says)
        with os.fdopen(hears) as voice:
            spoken = select.select([voice], [], [], START_S)[0]
            said = voice.readline().strip() if spoken else f"no word within {START_S:g} s"
        if said != "serving":
            raise OSError(f"{PROGRAM} does not serve {self.path}: {said or 'it ended without a word'}")

    def end(self) -> None:
        """Let it do no more harm, and take it away; twice is as good as once. Raises OSError."""
        os.write(self.leash[1], b"-")
        inside(self.place.space, lambda own: _unmount(own, self.path), f"unmount {self.path}")

    def serves(self) -> bool:
        """Tell whether its program lives. Only for who began it."""
        return os.waitpid(self.pid, os.WNOHANG) == (0, 0)

    def _become(self, says: int) -> None:
        """Be the child: out of the pod, mount, become the program."""
        try:
            os.setsid()
            cgroups.leave(os.getpid())
            cgroups.enter_node("mnt")
            device = os.open(DEVICE, os.O_RDWR)
            inside(self.place.space, lambda _own: mount(device, self.path, self.below), f"mount over {self.path}")
            os.fchdir(self.below)
            for number, standard in enumerate((self.leash[0], says, says)):
                os.dup2(standard, number)
            os.set_inheritable(device, True)
            os.execve(self.program, [PROGRAM, *self.words, "-device", str(device)], {})  # noqa: S606  a program by its descriptor
        except (OSError, Refused) as error:
            os.write(says, f"{error}\n".encode())
        finally:
            os._exit(1)


@command("disk-full", "let nothing new fit into a folder of a volume", pod=pod_uid, path=str, folder=str)
def _full(it: argparse.Namespace) -> Effect:
    return sick(it.pod, it.path, it.folder, ("full",))


@command("disk-fail", "fail so many percent of reads, writes and syncs", pod=pod_uid, path=str, folder=str, percent=whole(100), seed=int)
def _fail(it: argparse.Namespace) -> Effect:
    return sick(it.pod, it.path, it.folder, ("fail", "-percent", str(it.percent), "-seed", str(it.seed)))


@command("disk-slow", "let each read, write and sync wait", pod=pod_uid, path=str, folder=str, latency_ms=whole(60_000))
def _slow(it: argparse.Namespace) -> Effect:
    return sick(it.pod, it.path, it.folder, ("slow", "-delay", f"{it.latency_ms}ms"))


def sick(uid: str, path: str, folder: str, words: tuple[str, ...]) -> Effect:
    """Return the effect for ``folder`` (empty: all) of the volume that a pod has at ``path``; ``words`` tell the program what it has.

    Raises:
        Refused: the pod does not run here, has nothing mounted there, or has such a fault there already; what is mounted there would be
            seen elsewhere; a process works in the folder; the image has no program for it.

    """
    program, whole = shutil.which(PROGRAM), os.path.normpath(f"{path}/{folder}")
    if program is None:
        raise Refused(
            f"there is no program {PROGRAM} on this image's PATH; put it there (cluster/go/disk, images/fault.Dockerfile), "
            "on the embedded cluster by make down and make up"
        )
    if not Path(f"/proc/{cgroups.NODE_INIT}/root{DEVICE}").exists():
        raise Refused(f"this node has no {DEVICE}; load its kernel's module fuse (modprobe fuse)")
    _met(uid, whole)
    binary = os.open(program, os.O_RDONLY)
    disks = [Disk(place, whole, words, binary, _below(place, whole)) for place in places(uid, path)]

    def begin() -> None:
        for disk in disks:
            disk.begin()

    def end() -> None:
        with ExitStack() as each:  # whatever becomes of the others
            for disk in disks:
                each.callback(disk.end)

    return Effect(f"disk {words[0]}", begin, end, lambda: all(disk.serves() for disk in disks))


def _met(uid: str, path: str) -> None:
    """Raise Refused if a process of the pod would not meet what is mounted over ``path``, since it works in there."""
    for pid in processes_of(uid):
        works = _works_in(pid)
        if works and works.is_relative_to(path):
            raise Refused(
                f"process {pid} of pod {uid} works in {works}: it would go on with the disk below {path}; name a folder below {works}"
            )


def _works_in(pid: int) -> Path | None:
    """Return the working directory of a process; None if it is gone."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except FileNotFoundError:
        return None


def _below(place: Place, path: str) -> int:
    """Return a descriptor of the folder as the container has it now."""
    now = mount_at(Path(f"/proc/{place.pid}/mountinfo").read_text(errors="replace"), path)
    if now and now.kind == FUSE:
        raise Refused(f"{path} has such a fault already, or one that was not taken away; end it first")
    if place.mount.shared:
        raise Refused(f"what is mounted at {path} would be seen outside its pod, too (mountPropagation: Bidirectional)")
    return os.open(f"/proc/{place.pid}/root{path}", os.O_RDONLY | os.O_DIRECTORY)


def mount(device: int, path: str, below: int) -> None:
    """Mount in the container's namespace. Raises OSError: its folder of that name is another one by now, for instance."""
    if not os.path.samestat(Path(path).stat(), os.fstat(below)):
        raise NotADirectoryError(path)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
    flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV)
    checked(ctypes.CDLL(None, use_errno=True).mount(b"aftershock", path.encode(), FUSE.encode(), flags, options.encode()))


def _unmount(own: int, path: str) -> None:
    """Take away, in the container's namespace, what this module mounted there, and nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    while True:
        with os.fdopen(os.open("mountinfo", os.O_RDONLY, dir_fd=own), errors="replace") as table:
            mount = mount_at(table.read(), path)
        if mount is None or mount.kind != FUSE:
            return
        checked(libc.umount2(path.encode(), MNT_DETACH))
