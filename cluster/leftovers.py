"""What a cluster has on this machine, found without trusting its records, and removed.

A run that was killed leaves some of it; `up` and `down` both clear it here, so there is one way to remove a cluster.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cluster.config import MAX_INDEX, ClusterConfig, default_config
from cluster.errors import ClusterError
from cluster.host import cgroups, kernel_settings
from cluster.host.commands import run
from cluster.machines import machine, network
from cluster.machines.machine import Process
from cluster.state import BASE, State, cluster_names


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What was found of one cluster; all empty when nothing is there."""

    processes: tuple[int, ...] = ()
    interface: str | None = None
    loop_devices: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    cgroup: str | None = None
    folder: Path | None = None

    def sentences(self) -> list[str]:
        """Return one line a kind of thing that is there."""
        kinds: dict[str, object] = {
            "processes": ", ".join(map(str, self.processes)),
            "interface": self.interface,
            "loop devices": ", ".join(self.loop_devices),
            "mounts": ", ".join(self.mounts),
            "cgroup": self.cgroup,
            "state": self.folder,
        }
        return [f"{kind}: {what}" for kind, what in kinds.items() if what]

    def __bool__(self) -> bool:
        return bool(self.sentences())


def find(name: str) -> Leftovers:
    """Return what is on this machine of the cluster of that name."""
    state = State(name)
    group = cgroups.name_of(name)
    config = _config_of(state)
    interface = config.interface if config else None
    return Leftovers(
        processes=tuple(sorted(cgroups.members(group) | {p.pid for p in _recorded(state)})),
        interface=interface if interface and (Path("/sys/class/net") / interface).exists() else None,
        loop_devices=tuple(_loop_devices(state)),
        mounts=tuple(mounts_below(state.folder, Path("/proc/self/mounts").read_text())),
        cgroup=group if cgroups.exists(name) else None,
        folder=state.folder if state.folder.exists() else None,
    )


def _config_of(state: State) -> ClusterConfig | None:
    try:
        return state.load_config()
    except (ClusterError, ValueError, TypeError, KeyError):  # killed before or while it was written
        return None


def _recorded(state: State) -> set[Process]:
    machines = state.folder / "machines"
    names = [p.name for p in machines.iterdir()] if machines.is_dir() else []
    return {process for process in (machine.process_of(state, n) for n in names) if process}


def _loop_devices(state: State) -> list[str]:
    return [device for disk in state.folder.glob("machines/*/disk.xfs") for device in machine.loop_devices(disk)]


def mounts_below(folder: Path, table: str) -> list[str]:
    """Return the mount points at or below the folder in a mount table (/proc/self/mounts), the deepest first."""
    points = [line.split()[1].replace("\\040", " ") for line in table.splitlines() if line]
    return sorted((p for p in points if Path(p).is_relative_to(folder)), key=len, reverse=True)


def clear(name: str, say: Callable[[str], None]) -> Leftovers:
    """Remove all of the cluster and return what was there; raise ClusterError for what can't be removed."""
    found, state = find(name), State(name)
    config = _config_of(state)
    cgroups.kill(cgroups.name_of(name))
    for process in _recorded(state):
        machine.kill(process)
    if config:
        network.unplug_host(config)
    for point in found.mounts:
        run("umount", "--lazy", point)
    for disk in state.folder.glob("machines/*/disk.xfs"):
        _release(disk)
    cgroups.remove(cgroups.name_of(name))
    if state.folder.exists():
        shutil.rmtree(state.folder)
    _clear_host(say)
    return found


def _release(disk: Path) -> None:
    try:
        machine.await_disk_released(disk, timeout_s=5)
    except ClusterError:  # set up by hand, or without autoclear: nothing will release it by itself
        for device in machine.loop_devices(disk):
            run("losetup", "--detach", device)


def _clear_host(say: Callable[[str], None]) -> None:
    """After the last cluster: interfaces whose state is gone, kernel settings, the empty base folder."""
    if cluster_names() or cgroups.found_clusters():
        return
    for index in range(MAX_INDEX + 1):
        if network.unplug_host(default_config(index=index)):
            say(f"removed the interface {default_config(index=index).interface} that no cluster owns")
    if restored := kernel_settings.restore():
        say(f"host settings as they were before: {', '.join(restored)}")
    if BASE.is_dir():
        BASE.rmdir()
