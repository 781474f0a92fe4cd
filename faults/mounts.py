"""A volume of a pod made read-only, in the pod's own mounts alone. Runs in a fault pod; standard library only.

The file system below stays writable for everybody else. What was being written is finished first: the kernel refuses while a file is open
for writing (EBUSY), so it is tried again. No kernel timer ends it, but it cannot outlive the pod: its mounts go with it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time

from faults.node import Effect, Refused, processes_of, read
from kube.mounted import options_at

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


def read_only(uid: str, path: str) -> Effect:
    """Return the effect for the volume that a pod has at ``path``.

    Raises:
        Refused: the pod does not run here, has nothing mounted there, or has it read-only already.

    """
    spaces: dict[int, int] = {}  # a container each: inode of its mount namespace -> descriptor
    for pid in processes_of(uid):
        options = options_at(read(f"/proc/{pid}/mountinfo"), path)
        if "ro" in options:
            raise Refused(f"pod {uid}: {path} is read-only already; it would be made writable at the end")
        if options:
            space = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            spaces.setdefault(os.fstat(space).st_ino, space)
    if not spaces:
        raise Refused(f"pod {uid}: nothing is mounted at {path}")

    def set_all(*, writable: bool) -> None:
        for space in spaces.values():
            remount(space, path, writable=writable)

    return Effect("read-only", lambda: set_all(writable=False), lambda: set_all(writable=True))


def remount(space: int, path: str, *, writable: bool) -> None:
    """Set one mount of another mount namespace, by its descriptor, in a child that enters it. Raises OSError."""
    child = os.fork()
    if not child:
        os._exit(_remounted(space, path, Attributes(0, MOUNT_ATTR_RDONLY) if writable else Attributes(MOUNT_ATTR_RDONLY, 0)))
    failed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if failed:
        raise OSError(failed, f"{os.strerror(abs(failed))}: make {path} {'writable' if writable else 'read-only'}")


def _remounted(space: int, path: str, attributes: Attributes) -> int:
    """Be the child: return 0, or the error's number."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(space, 0):
        return ctypes.get_errno()
    until = time.monotonic() + PATIENCE_S
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    while libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), 0, ctypes.byref(attributes), size):
        if ctypes.get_errno() != errno.EBUSY or time.monotonic() > until:
            return ctypes.get_errno()
        time.sleep(0.01)
    return 0
