"""What the machine must have, each lack as one sentence that says what, and what to do."""

import json
import os
import platform
import shutil
import socket
from ipaddress import IPv4Network
from pathlib import Path

from cluster.config import ClusterConfig
from cluster.errors import ClusterError
from cluster.host.commands import run
from cluster.state import BASE, State, cluster_names

LEAST_MEMORY_BYTES = 4 * 10**9
LEAST_DISK_BYTES = 10 * 10**9
_NAMESPACES = ("mnt", "pid", "net", "uts", "ipc")
_FILESYSTEMS = {"overlay": "overlay", "xfs": "XFS", "tmpfs": "tmpfs"}


def check_machine() -> None:
    """Raise ClusterError for the first lack that no other cluster parameters could help."""
    if platform.system() != "Linux":
        raise ClusterError(
            f"the embedded cluster needs Linux, this is {platform.system()}: point a target file at kind, k3d or a staging cluster instead."
        )
    if os.geteuid() != 0:
        raise ClusterError(
            "the embedded cluster makes namespaces, mounts and cgroups and needs root: run the command as root, or with sudo."
        )
    _check_kernel()


def _check_kernel() -> None:
    for name in _NAMESPACES:
        if not Path(f"/proc/self/ns/{name}").exists():
            raise ClusterError(f"this kernel has no {name} namespaces: use a kernel built with them (every distribution's is).")
    known = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    for name, title in _FILESYSTEMS.items():
        if name not in known and not _module_exists(name):
            raise ClusterError(f"this kernel has no {title} filesystem: load or install the kernel module {name}.")
    if not Path("/dev/loop-control").exists() and not _module_exists("loop"):
        raise ClusterError(
            "this machine has no loop devices (/dev/loop-control): load the kernel module loop; in a container, pass /dev through."
        )
    if not any(Path("/sys/fs/cgroup").iterdir()):
        raise ClusterError(
            "no cgroup hierarchy is mounted at /sys/fs/cgroup: mount it; in a container, use a privileged one with the host's cgroups."
        )
    if not Path("/bin").is_symlink():
        raise ClusterError(
            "/bin is not a link into /usr on this machine: nodes are made for a merged /usr; use Debian 12 or a newer distribution."
        )


def _module_exists(name: str) -> bool:
    folder = Path("/lib/modules") / os.uname().release
    return any(name in p.name.split(".")[0].split("-") for p in folder.rglob(f"*{name}*.ko*")) if folder.is_dir() else False


def check_room(config: ClusterConfig) -> None:
    """Raise ClusterError for the first lack of memory, disk, ports or address ranges."""
    available = _available_memory_bytes()
    if available < LEAST_MEMORY_BYTES:
        raise ClusterError(f"{available / 1e9:.1f} GB of memory are free, {LEAST_MEMORY_BYTES / 1e9:g} GB are needed: end other programs.")
    disk = shutil.disk_usage(_existing(BASE)).free
    if disk < LEAST_DISK_BYTES:
        raise ClusterError(f"{disk / 1e9:.1f} GB are free on the disk of {BASE}, {LEAST_DISK_BYTES / 1e9:g} GB are needed: free some.")
    for other in cluster_names():
        if other != config.name and State(other).config_file.exists() and State(other).load_config().index == config.index:
            raise ClusterError(f"cluster {other} has index {config.index} on this machine: choose another with --index N.")
    for frontend in config.frontends:
        _check_port(frontend.port)
    check_ranges(config)


def _available_memory_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) * 1024


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ClusterError(
                f"port {port} of 127.0.0.1 is taken ({error.strerror}): end the program that listens there (`ss -ltnp`), "
                "or choose --index N or a --config file."
            ) from error


def check_ranges(config: ClusterConfig) -> None:
    """Raise ClusterError if the host already routes one of the cluster's ranges elsewhere."""
    ours = [IPv4Network(n) for n in (config.node_network, config.pod_network, config.service_network)]
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("dev") == config.interface or route.get("type", "unicast") != "unicast":
            continue
        for network in ours:
            if IPv4Network(destination).overlaps(network):
                raise ClusterError(
                    f"the host already routes {destination} to {route.get('dev')}, which overlaps the cluster's range {network}: "
                    "choose another with --index N or a --config file."
                )
