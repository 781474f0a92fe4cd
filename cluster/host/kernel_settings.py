"""Settings of the host's kernel that a cluster changes: recorded before the first cluster, restored after the last one."""

import json
from pathlib import Path

from cluster.host import cgroups
from cluster.host.commands import run, succeeds
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
