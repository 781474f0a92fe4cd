"""One session at a time on a target from this host: an advisory lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from history.errors import TargetRefused
from kube.wait import until
from target.target import Target

POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class SessionLock:
    """The lock that this session holds."""

    fd: int
    path: Path

    @classmethod
    def acquire(cls, target: Target, wait_s: float, say: Callable[[str], None]) -> Self:
        """Take the lock, waiting up to ``wait_s`` for another session to end.

        Raises:
            TargetRefused: another session is running on this target.

        """
        region = target.only_region()
        digest = hashlib.sha256(f"{region.server} {region.context}".encode()).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"aftershock-{os.getuid()}-{digest}.lock"
        lock = cls(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), path)
        if not lock._try():
            if wait_s > 0:
                say(f"{lock._busy(target)}; waiting up to {wait_s:.0f} s")
            if not until(lock._try, wait_s, POLL_S):
                raise TargetRefused(lock._busy(target))
        os.ftruncate(lock.fd, 0)
        os.pwrite(lock.fd, str(os.getpid()).encode(), 0)
        return lock

    def release(self) -> None:
        """Let the next session run."""
        os.close(self.fd)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _busy(self, target: Target) -> str:
        holder = os.pread(self.fd, 32, 0).decode() or "unknown"
        return (
            f"target {target.name}: another session here (process {holder}) is running experiments on it, so nothing was injected; "
            "wait for it to end, or queue behind it with --chaos-wait"
        )
