"""What the cluster may not leave changed on the host: recorded before the first cluster, restored after the last one."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.errors import ClusterError
from cluster.host import cgroups
from cluster.host.shell import run, succeeds
from cluster.state import BASE, read_json, write_atomic

# the kubelet sets these for the whole machine (pkg/kubelet/cm/container_manager_linux.go setupKernelTunables)
_KUBELETS = (
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
# every kubelet, containerd and kube-proxy watches files; the usual 128 are used up by two clusters
_RAISED = {"fs.inotify.max_user_instances": 1024}
_BRIDGE_FILTER = "br_netfilter"  # lets kube-proxy's rules see what pods of one node say to each other
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


def prepare() -> None:
    """Write the host's settings down, unless a cluster that is up has done so, and make those changes that clusters need."""
    if not _RECORD.exists():
        kept = {name: _file(name).read_text().strip() for name in (*_KUBELETS, *_RAISED) if _file(name).exists()}
        loaded = [] if _bridge_filter_works() else [_BRIDGE_FILTER]
        write_atomic(_RECORD, json.dumps({"sysctls": kept, "modules": loaded, "controllers": cgroups.handed_down()}, indent=1))
    for name, least in _RAISED.items():
        if int(_file(name).read_text()) < least:
            _file(name).write_text(str(least))
    if not _bridge_filter_works():
        run("modprobe", _BRIDGE_FILTER)


def _bridge_filter_works() -> bool:
    return _file("net.bridge").exists()


def restore() -> list[str]:
    """Set back what has changed since it was recorded; return what that was."""
    record, changed = read_json(_RECORD), []
    for name, value in record.get("sysctls", {}).items():
        if _file(name).read_text().strip() != value:
            _file(name).write_text(value)
            changed.append(name)
    # a module that someone else has come to use stays
    changed += [module for module in record.get("modules", []) if succeeds("modprobe", "--remove", module)]
    if record:
        changed += cgroups.take_back(record["controllers"])
    _RECORD.unlink(missing_ok=True)
    return changed
