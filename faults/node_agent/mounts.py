"""A pod's own mount of a volume, and how to change it there alone: made read-only. Runs in a fault pod; standard library only.

The file system below stays writable for everybody else. What was being written is finished first: the kernel refuses while a file is open
for writing (EBUSY), so it is tried again. No kernel timer ends it, but it cannot outlive the pod: its mounts go with it.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.node_agent.commands import command, pod_uid
from faults.node_agent.mount_table import Mount, mount_at
from faults.node_agent.node import Effect, Refused, checked, enter, processes_of, read

MOUNT_SETATTR = 442  # mount_setattr(2), Linux 5.12; the same number on all architectures
AT_FDCWD = -100
MOUNT_ATTR_RDONLY = 1
PATIENCE_S = 5.0  # for files that are open for writing


class Attributes(ctypes.Structure):
    """``struct mount_attr`` of linux/mount.h."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A container that has the volume: one of its processes, a descriptor of its mount namespace, and how it has it mounted."""

    pid: int
    space: int
    mount: Mount


def places(uid: str, path: str) -> list[Place]:
    """Return the containers of a pod that have something mounted at ``path``. Raises Refused: none has, or the pod does not run here."""
    found: dict[int, Place] = {}  # by the inode of its mount namespace
    for pid in processes_of(uid):
        mount = mount_at(read(f"/proc/{pid}/mountinfo"), path)
        if mount:
            space = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            found.setdefault(os.fstat(space).st_ino, Place(pid, space, mount))
    if not found:
        raise Refused(f"pod {uid}: nothing is mounted at {path}")
    return list(found.values())


def inside(space: int, act: Callable[[int], None], what: str) -> None:
    """Let a child that enters another mount namespace, by its descriptor, do one thing. Raises OSError, as the child did.

    ``act`` gets a descriptor of the child's own folder of /proc, since /proc in there need not know it.
    """
    child = os.fork()
    if not child:
        os._exit(_entered(space, act))
    failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if failed:
        raise OSError(failed, f"{os.strerror(abs(failed))}: {what}")


def _entered(space: int, act: Callable[[int], None]) -> int:
    """Be the child: return 0, or the error's number."""
    try:
        own = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
        enter(space)
        act(own)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@command("read-only", "let a pod write nothing to one of its volumes", pod=pod_uid, path=str)
def _read_only(it: argparse.Namespace) -> Effect:
    return read_only(it.pod, it.path)


def read_only(uid: str, path: str) -> Effect:
    """Return the effect for the volume that a pod has at ``path``.

    Raises:
        Refused: the pod does not run here, has nothing mounted there, or has it read-only already.

    """
    found = places(uid, path)
    if any("ro" in place.mount.options for place in found):
        raise Refused(f"pod {uid}: {path} is read-only already; it would be made writable at the end")

    def set_all(*, writable: bool) -> None:
        for place in found:
            remount(place.space, path, writable=writable)

    return Effect("read-only", lambda: set_all(writable=False), lambda: set_all(writable=True))


def remount(space: int, path: str, *, writable: bool) -> None:
    """Set one mount of another mount namespace. Raises OSError."""
    attributes = Attributes(0, MOUNT_ATTR_RDONLY) if writable else Attributes(MOUNT_ATTR_RDONLY, 0)
    inside(space, lambda _own: _set(path, attributes), f"make {path} {'writable' if writable else 'read-only'}")


def _set(path: str, attributes: Attributes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    until = time.monotonic() + PATIENCE_S
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    while status := libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), 0, ctypes.byref(attributes), size):
        if ctypes.get_errno() != errno.EBUSY or time.monotonic() > until:
            checked(status)
        time.sleep(0.01)
