"""What the cluster may not leave changed on the host: kernel settings, recorded before the first cluster and restored after the last."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError
from cluster.state import BASE, read_json, write_atomic

# the kubelet sets these for the whole machine (pkg/kubelet/cm/container_manager_linux.go setupKernelTunables)
SYSCTLS = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
_RECORD = BASE / "host.json"
_LOCKED = Path("/var/lib")
_LOCK_TIMEOUT_S = 900.0


@contextmanager
def lock(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the machine's cluster lock: one `up` or `down` at a time. The kernel releases it when its holder dies."""
    # a folder that is there anyway: no lock file is left behind
    folder = os.open(_LOCKED, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _acquire(folder, say)
        yield
    finally:
        os.close(folder)


def _acquire(folder: int, say: Callable[[str], None]) -> None:
    deadline, said = time.monotonic() + _LOCK_TIMEOUT_S, False
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"another `up` or `down` has held this machine's lock for {_LOCK_TIMEOUT_S:g} s: end it, then try again."
                ) from error
            if not said:
                say("another `up` or `down` is at work on this machine: waiting for it")
                said = True
            time.sleep(0.2)
        else:
            return


def _file(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def record_sysctls() -> None:
    """Write down the kernel settings as they are, unless a cluster that is up has done so."""
    if not _RECORD.exists():
        write_atomic(_RECORD, json.dumps({name: _file(name).read_text().strip() for name in SYSCTLS if _file(name).exists()}, indent=1))


def restore_sysctls() -> list[str]:
    """Set back what has changed since it was recorded; return the names of those settings."""
    changed = []
    for name, value in read_json(_RECORD).items():
        if _file(name).read_text().strip() != value:
            _file(name).write_text(value)
            changed.append(name)
    _RECORD.unlink(missing_ok=True)
    return changed
