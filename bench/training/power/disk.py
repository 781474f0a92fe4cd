"""A disk whose power can be cut: an XFS on a loop device, shut down without a flush, as the embedded nodes' disks are (root only)."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.host.commands import run

_GOING_DOWN, _WITHOUT_LOG_FLUSH = 0x8004587D, 2  # XFS_IOC_GOINGDOWN, linux/fs/xfs/libxfs/xfs_fs.h
_BYTES = 320 << 20  # the smallest that mkfs.xfs makes is 300 MiB; the file is sparse


class Disk:
    """A mounted disk."""

    def __init__(self, folder: Path) -> None:
        self.mount, self._file = folder / "disk", folder / "disk.xfs"
        self.mount.mkdir(parents=True)
        with self._file.open("wb") as file:
            file.truncate(_BYTES)
        run("mkfs.xfs", "-q", "-f", "-K", str(self._file))
        self._attach()

    def _attach(self) -> None:
        run("mount", "-o", "loop", str(self._file), str(self.mount))

    def cut(self) -> None:
        """Cut the power: what was not synced is lost; nothing can be read or written any more."""
        descriptor = os.open(self.mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _GOING_DOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def boot(self) -> None:
        """Mount it again, after everybody who had files open is gone; its log is replayed."""
        run("umount", str(self.mount))
        self._attach()

    @property
    def dead(self) -> bool:
        """Whether it answers with an error."""
        try:
            os.listdir(self.mount)  # noqa: PTH208  the call that fails on a disk that is down
        except OSError:
            return True
        return False


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Make a disk, and take it away."""
    made = Disk(folder)
    try:
        yield made
    finally:
        run("umount", "--lazy", str(made.mount))
