"""Two pytest processes on one machine: their tests run side by side, a test that must be alone makes the other process stand still.

A test takes its turn as a reader takes a lock, one that must be alone as a writer does. Whoever comes first waits first: a test that
wants to be alone is not passed by.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def turn(file: Path, *, alone: bool) -> Iterator[None]:
    """Hold a turn for the block: beside others, or ``alone``. The kernel ends it with its process, however that ends."""
    with ExitStack() as room:
        with locked(file.with_suffix(".door"), fcntl.LOCK_EX):
            room.enter_context(locked(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


class Turns:
    """The turns of one process. Tests in a row that must be alone share one: else each would wait for a test of the other process."""

    def __init__(self, file: Path) -> None:
        self._file, self._held, self._holds = file, ExitStack(), False

    @contextmanager
    def test(self, *, alone: bool, next_alone: bool) -> Iterator[None]:
        """Hold a turn for the block, and on until the next test where both must be alone."""
        if not self._holds:
            self._held.enter_context(turn(self._file, alone=alone))
        self._holds = alone and next_alone
        try:
            yield
        finally:
            if not self._holds:
                self._held.close()


@contextmanager
def locked(file: Path, mode: int) -> Iterator[None]:
    """Hold ``file`` locked. It is released by name: a process that was forked meanwhile has the open file, too."""
    with file.open("w") as lock:
        fcntl.flock(lock, mode)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
