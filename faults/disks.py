"""Disks under a pod: a volume that takes nothing any more, is full, fails, or is slow.

Mechanism: a fault pod changes the pod's own mount of the volume, and only that: others that use the same disk, the node first of all,
notice nothing.

- read-only: the mount is made so (:mod:`faults.node_agent.mounts`). Reads go on; every write fails with EROFS.
- full, failing, slow: a FUSE file system is mounted over the volume or a folder of it, and does the harm (:mod:`faults.node_agent.fuse`).

  - Files that are open when it begins stay on the disk below. So would a process that works in the folder: it is refused; name a folder
    below (``folder``) then.
  - What is opened meanwhile reaches the disk, also when the fault has ended. A container that starts meanwhile is well.
  - Files without a name (O_TMPFILE) are not offered there, as on NFS: who uses them takes the other way.

Full means: what needs a new block or a new inode fails with ENOSPC, and the disk reports no free space. What is deleted frees none, since
somebody else takes it at once. Files can be read, deleted, renamed and written over. Failing means: a share of reads, writes and syncs
fails with EIO, by chance, and what fails has not reached the disk. Reads from the kernel's page cache meet neither, as on a real disk.

All end by themselves after ``for_s``, and before by :func:`faults.network.restore`.

Not offered, and why: one disk for all its users at once, by a device under the file system. The nodes of the embedded cluster share a
kernel without device mapper, fault injection, or quotas for XFS. Full volumes are met for real in tests (test_volume.py).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from random import Random

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import by_fault_pod
from history.errors import ConfigError, TargetRefused
from history.plan import ResolvedTarget
from kube import container_exec
from kube.client import Platform
from kube.containers import path_of
from kube.objects import Pod
from kube.permissions import Permission
from kube.selection import choose_pods, pod_target
from safety import active_run
from safety.fault_spec import Arguments, KillTrial, duration_s, whole_number

ENDS = "a watchdog on its node ends it after {for_s:g} s, whoever is left; it cannot outlive the pod"
FIDELITY = "a file system over the pod's own volume does it; the disk below is well, and files that are open when it begins stay there"
LONGEST_MS = 2000  # a write and its sync must be seen to end within the time limit of a look into a pod

Resolve = Callable[[Platform, Arguments, Random], list[ResolvedTarget]]


def _resolving(name: str, effect: Callable[[Arguments], str]) -> Resolve:
    """Return the resolution of the fault ``name``, which describes what it does to a path by its arguments."""

    def resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
        role, for_s, does = arguments["role"], duration_s(name, arguments["for_s"]), effect(arguments)
        folder = _folder(name, arguments.get("folder", ""))
        pods = choose_pods(platform, role, arguments.get("count", 1), rng)
        container = platform.target.role(role).container
        ends = ENDS.format(for_s=for_s)
        paths = [PurePosixPath(_path(pod, container, arguments["volume"]), folder) for pod in pods]
        return [pod_target(pod, f"{path} {does} for {for_s:g} s", ends) for pod, path in zip(pods, paths, strict=True)]

    return resolve


def _folder(name: str, folder: object) -> str:
    """Return a folder of a volume. Raises ConfigError: it leads out of it."""
    if not isinstance(folder, str) or folder.startswith("/") or ".." in folder.split("/"):
        raise ConfigError(f"{name}: folder is {folder!r}; write a path within the volume, as in objects/training")
    return folder


def _path(pod: Pod, container: str | None, volume: str) -> str:
    path = path_of(pod, container, volume)
    if path is None:
        raise TargetRefused(
            f"pod {pod.metadata.name}: container {container} has no volume {volume!r}; correct volume in the experiment, "
            "or container of the role in the target file"
        )
    return path


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*container_exec.permissions(namespace), Permission("list", "pods", namespace=namespace), *fault_pod.permissions(platform)]


NO_VOLUME = KillTrial(left_out="a volume is needed, and a node that has FUSE")
_on_volume = partial(by_fault_pod, permissions=_permissions, ends=ENDS, killed=NO_VOLUME)
_by_file_system = partial(_on_volume, fidelity=FIDELITY)


def _fails(arguments: Arguments) -> str:
    return f"fails {whole_number('fail_disk', 'percent', arguments['percent'], 100)} % of reads, writes and syncs"


def _slow(arguments: Arguments) -> str:
    return f"needs {whole_number('slow_disk', 'latency_ms', arguments['latency_ms'], LONGEST_MS)} ms more for each read, write and sync"


@_on_volume(
    resolve=_resolving("make_read_only", lambda _: "is read-only"),
    evidence=("probes.disks.read_only", "probes.training.save_failed"),
)
def make_read_only(role: str, volume: str, for_s: float, count: int = 1) -> dict[str, object]:
    """Let ``count`` ready pods of ``role`` write nothing to their ``volume`` (its name in the pod) for ``for_s`` seconds.

    A file that is being written is finished first. Raises as :func:`faults.mechanisms.fault_pod.inject_into_pods`.
    """
    return fault_pod.inject_into_pods(role, for_s, lambda pod: ("read-only", *_where(pod, role, volume)), count)


@_by_file_system(resolve=_resolving("fill_disk", lambda _: "is full"), evidence=("probes.disks.full", "probes.training.save_failed"))
def fill_disk(role: str, volume: str, for_s: float, *, folder: str = "", count: int = 1) -> dict[str, object]:
    """Let nothing new fit into ``folder`` (empty: all) of the ``volume`` of ``count`` ready pods of ``role`` for ``for_s`` seconds.

    Raises as :func:`faults.mechanisms.fault_pod.inject_into_pods`.
    """
    return _served("disk-full", (role, volume, folder), for_s, count)


@_by_file_system(resolve=_resolving("fail_disk", _fails), evidence=("probes.disks.failing", "probes.training.save_failed"))
def fail_disk(role: str, volume: str, for_s: float, percent: int, *, folder: str = "", count: int = 1) -> dict[str, object]:
    """Fail ``percent`` (1 to 100) of the reads, writes and syncs below ``folder`` of a volume with EIO, else as :func:`fill_disk`."""
    return _served("disk-fail", (role, volume, folder), for_s, count, "--percent", percent, "--seed", active_run.require().plan.seed)


@_by_file_system(resolve=_resolving("slow_disk", _slow), evidence=("probes.disks.slow", "probes.training.save_failed"))
def slow_disk(role: str, volume: str, for_s: float, latency_ms: int, *, folder: str = "", count: int = 1) -> dict[str, object]:
    """Let each read, write and sync below ``folder`` of a volume wait ``latency_ms`` (ms, at most 2000), else as :func:`fill_disk`."""
    return _served("disk-slow", (role, volume, folder), for_s, count, "--latency-ms", latency_ms)


def _served(command: str, where: tuple[str, str, str], for_s: float, count: int, *more: object) -> dict[str, object]:
    """Start the fault pods that serve a folder of a volume themselves: of which role, volume and folder is said by ``where``."""
    role, volume, folder = where

    def words(pod: Pod) -> tuple[str, ...]:
        return (command, *_where(pod, role, volume), "--folder", folder, *map(str, more))

    return fault_pod.inject_into_pods(role, for_s, words, count, (*fault_pod.CAPABILITIES, *fault_pod.FILES))


def _where(pod: Pod, role: str, volume: str) -> tuple[str, ...]:
    container = active_run.require().platform.target.role(role).container
    return ("--pod", pod.metadata.uid, "--path", _path(pod, container, volume))
