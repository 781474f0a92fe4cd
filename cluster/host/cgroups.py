"""The cluster's control groups, on cgroup v1 (a hierarchy a controller) and v2 (one for all).

    aftershock-<name>/
      nodes/            capped: all nodes together leave CPU for load and measurement
        <node>/         the kubelet's root: kubepods/… below it
          system/       the node's init, containerd, kubelet, kube-proxy
      control/system/   etcd, the API server, controllers, the scheduler: other machines in a real cluster, hence not capped
      host/system/      load balancer and power controller

What is in there is the cluster's, whatever else got lost: that is how leftovers are recognised.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from cluster.host.wait import until_clear

MOUNT = Path("/sys/fs/cgroup")
_PERIOD_US = 20_000  # short, so that a spent quota delays a request by milliseconds, not by a tenth of a second
_LOW_SHARES, _LOW_WEIGHT = 512, 50  # half of a normal process's claim on CPU
# kubelet needs these; on v2 a controller must be handed down level by level
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids")


def is_v2() -> bool:
    """Whether this machine has the unified hierarchy only."""
    return (MOUNT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Return the mount points of all hierarchies."""
    if is_v2():
        return [MOUNT]
    # a link is a second name (cpu -> cpu,cpuacct) of a hierarchy that is listed anyway
    return sorted(p for p in MOUNT.iterdir() if p.is_dir() and not p.is_symlink() and (p / "cgroup.procs").exists())


def name_of(cluster: str) -> str:
    """Return the group that holds all of a cluster."""
    return f"aftershock-{cluster}"


def node_group(cluster: str, node: str) -> str:
    """Return the group of a node, the kubelet's root."""
    return f"{name_of(cluster)}/nodes/{node}"


def create(group: str) -> list[str]:
    """Make the group in every hierarchy; return the files that a process writes itself into to join its `system` part."""
    procs = []
    for root in hierarchies():
        folder = root
        for part in group.split("/"):
            _hand_down(folder)
            folder /= part
            folder.mkdir(exist_ok=True)
            _fill_cpuset(folder)
        _hand_down(folder)
        system = folder / "system"
        system.mkdir(exist_ok=True)
        _fill_cpuset(system)
        procs.append(str(system / "cgroup.procs"))
    return procs


def _hand_down(folder: Path) -> None:
    control = folder / "cgroup.subtree_control"
    if not is_v2():
        return
    available = (folder / "cgroup.controllers").read_text().split()
    wanted = [c for c in _V2_CONTROLLERS if c in available and c not in control.read_text().split()]
    if wanted:
        control.write_text(" ".join(f"+{c}" for c in wanted))


def handed_down() -> list[str]:
    """Return the controllers that the root of a v2 hierarchy hands down; none on v1, where nothing of the root is changed."""
    return (MOUNT / "cgroup.subtree_control").read_text().split() if is_v2() else []


def take_back(kept: list[str]) -> list[str]:
    """Stop handing down from the root what is not in `kept`; return those controllers. One that others have come to use stays."""
    taken = []
    for controller in handed_down():
        if controller not in kept:
            try:
                (MOUNT / "cgroup.subtree_control").write_text(f"-{controller}")
            except OSError:
                continue
            taken.append(f"cgroup controller {controller}")
    return taken


def _fill_cpuset(folder: Path) -> None:
    """Copy the parent's CPUs and memory nodes: on v1 a new group has none, and no process could join it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if not is_v2() and file.exists() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def cap_nodes(cluster: str, reserved_cpus: float) -> float:
    """Limit all nodes together to the machine's CPUs less `reserved_cpus` and let others go first; return the CPUs that the nodes have."""
    cpus = max((os.cpu_count() or 1) - reserved_cpus, 0.5)
    quota = int(cpus * _PERIOD_US)
    for root in hierarchies():
        folder = root / name_of(cluster) / "nodes"
        if is_v2():
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
            (folder / "cpu.weight").write_text(str(_LOW_WEIGHT))
        elif (folder / "cpu.shares").exists():
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
            (folder / "cpu.shares").write_text(str(_LOW_SHARES))
    return cpus


def members(group: str) -> set[int]:
    """Return the ids of all processes in the group and below it."""
    found: set[int] = set()
    for root in hierarchies():
        for folder, _, _ in os.walk(root / group):  # which passes over a group that went meanwhile; Path.rglob fails at it
            with suppress(OSError):
                found.update(int(pid) for pid in Path(folder, "cgroup.procs").read_text().split())
    return found - {0, os.getpid()}


def kill(group: str) -> None:
    """Kill every process in the group and wait until it is empty; raise ClusterError if some stay."""

    def alive() -> set[int]:
        pids = members(group)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pids

    until_clear(
        alive,
        lambda pids: f"processes {sorted(pids)} of cgroup {group} survive SIGKILL: they wait for the kernel; reboot if they stay.",
        timeout_s=10,
        pause_s=0.02,
    )


def remove(group: str) -> None:
    """Remove the group in every hierarchy; its processes must be gone."""
    for root in hierarchies():
        top = root / group
        folders = [p for p in top.rglob("*") if p.is_dir()]
        for folder in [*sorted(folders, key=lambda p: len(p.parts), reverse=True), *([top] if top.exists() else [])]:
            _remove_one(folder)


def _remove_one(folder: Path) -> None:
    def problem() -> OSError | None:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return None
        except OSError as error:  # the kernel frees a killed process's group a moment later
            return error
        return None

    sentence = f"cgroup {folder} can't be removed: {{}}; see what is in its cgroup.procs."
    until_clear(problem, sentence.format, timeout_s=5, pause_s=0.02)


def exists(cluster: str) -> bool:
    """Whether any hierarchy has a group of that cluster."""
    return any((root / name_of(cluster)).exists() for root in hierarchies())


def found_clusters() -> set[str]:
    """Return the names of all clusters that have a group on this machine."""
    prefix = name_of("")
    return {p.name.removeprefix(prefix) for root in hierarchies() for p in root.glob(f"{prefix}*") if p.is_dir()}
