"""Machines: booted as processes in namespaces of their own, and switched off as by pulling the plug."""

import fcntl
import json
import os
import signal
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.host import cgroups
from cluster.host.commands import run
from cluster.host.wait import until_clear
from cluster.state import State, boot_id, read_json, write_atomic

CONTROL, HOST = "control", "host"
# XFS_IOC_GOINGDOWN, _IOR('X', 125, uint32_t), with "no log flush": linux/fs/xfs/libxfs/xfs_fs.h
_GOING_DOWN, _WITHOUT_LOG_FLUSH = 0x8004587D, 2


@dataclass(frozen=True, slots=True)
class Process:
    """A process, told apart from a later one with the same id by its start time (clock ticks after the machine's boot)."""

    pid: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return _start_ticks(self.pid) == self.start_ticks


def _start_ticks(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def record(state: State, machine: str, pid: int) -> Process:
    """Write down the process that a machine stands or falls with."""
    process = Process(pid, _start_ticks(pid) or 0)
    write_atomic(
        state.machine(machine) / "process.json", json.dumps({"pid": pid, "start_ticks": process.start_ticks, "boot_id": boot_id()})
    )
    return process


def process_of(state: State, machine: str) -> Process | None:
    """Return the machine's init if it runs."""
    noted = read_json(state.machine(machine) / "process.json")
    if noted.get("boot_id") != boot_id():
        return None
    process = Process(noted["pid"], noted["start_ticks"])
    return process if process.alive else None


def control_process(state: State) -> Process:
    """Return the control plane's init; raise ClusterError if it is not running."""
    process = process_of(state, CONTROL)
    if process is None:
        raise ClusterError(
            f"the control plane of cluster {state.name} does not run: `python -m cluster --name {state.name} up` starts it again."
        )
    return process


def group_of(cluster: str, machine: str) -> str:
    """Return the control group of a machine."""
    return f"{cgroups.name_of(cluster)}/{machine}" if machine in (CONTROL, HOST) else cgroups.node_group(cluster, machine)


def boot(state: State, machine: str, programs: Path, spec: Mapping[str, object]) -> Process:
    """Start a machine's init in new namespaces and return it; it waits there for its network."""
    folder = state.machine(machine)
    (folder / "root").mkdir(parents=True, exist_ok=True)
    state.logs(machine).mkdir(parents=True, exist_ok=True)
    group = group_of(state.name, machine)
    # a machine boots without groups; with the last boot's, the kubelet would ask for their containers for half a minute
    cgroups.kill(group)
    cgroups.remove(group)
    procs = cgroups.create(group)
    own = {"hostname": machine, "root": str(folder / "root"), "init_log": str(state.logs(machine) / "init.log"), "cgroup_procs": procs}
    write_atomic(folder / "spec.json", json.dumps({**spec, **own}, indent=1))
    pid = int(run(str(programs / "aftershock-node"), "boot", str(folder / "spec.json")))
    return record(state, machine, pid)


def cut_power(state: State, machine: str, unplug: Callable[[], None]) -> None:
    """Switch a node off: unplug its wire, stop its disk without flushing, kill its init.

    In this order: nothing may be said or saved after the cut.
    """
    process = process_of(state, machine)
    if process is None:
        return
    unplug()
    stop_disk(process)
    kill(process)
    cgroups.kill(group_of(state.name, machine))
    await_disk_released(state.disk(machine))


def stop_disk(process: Process) -> None:
    """Shut the machine's XFS down without flushing its log: what was not fsynced is lost, what was is there after the next boot."""
    try:
        disk = os.open(f"/proc/{process.pid}/root/var", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ClusterError(f"the disk of process {process.pid} can't be opened: {error}.") from error
    try:
        fcntl.ioctl(disk, _GOING_DOWN, struct.pack("I", _WITHOUT_LOG_FLUSH))
    finally:
        os.close(disk)


def kill(process: Process) -> None:
    """Kill a machine's init; the kernel kills everything else in its process namespace before the init is gone."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def loop_devices(file: Path) -> list[str]:
    """Return the loop devices that hold the file."""
    listing = json.loads(run("losetup", "--json", "--list", "--output", "NAME,BACK-FILE") or '{"loopdevices": []}')
    # a deleted file is listed as "/path (deleted)"
    return [d["name"] for d in listing["loopdevices"] if (d["back-file"] or "").removesuffix(" (deleted)") == str(file)]


def await_disk_released(file: Path, timeout_s: float = 20) -> None:
    """Wait until the kernel has unmounted the killed machine's disk, which it does on its own.

    Mounting it earlier would give the stopped filesystem again instead of what the disk holds.
    """
    until_clear(
        lambda: loop_devices(file),
        lambda devices: f"{', '.join(devices)} still holds {file} {timeout_s:g} s after its node was switched off: see `losetup -l`.",
        timeout_s,
        pause_s=0.02,
    )


def make_disk(file: Path, size_bytes: int) -> None:
    """Make a sparse image with an empty XFS in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with file.open("wb") as image:
        image.truncate(size_bytes)
    run("mkfs.xfs", "-q", "-f", "-K", str(file))
