"""The machine's cluster lock: one `up` or `down` at a time. The kernel releases it when its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.host.wait import until_clear

_LOCKED = Path("/var/lib")
_LOCK_TIMEOUT_S = 900.0


@contextmanager
def lock(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; raise ClusterError if another holds it for a quarter of an hour."""
    # a folder that is there anyway: no lock file is left behind
    folder = os.open(_LOCKED, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _locked(folder):
            say("another `up` or `down` is at work on this machine: waiting for it")
            sentence = f"another `up` or `down` has held this machine's lock for {_LOCK_TIMEOUT_S:g} s: end it, then try again."
            until_clear(lambda: not _locked(folder), lambda _: sentence, _LOCK_TIMEOUT_S, pause_s=0.2)
        yield
    finally:
        os.close(folder)


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
