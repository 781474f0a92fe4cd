"""Disks under a pod: a volume that takes nothing any more.

Mechanism: a fault pod makes the pod's own mount of the volume read-only (:mod:`faults.mounts`). Reads go on; every write fails with EROFS,
as after an error of the file system. Others that use the same disk, the node first of all, notice nothing.

Not offered, and why:
- a full disk: the volumes of the embedded nodes are folders of the node's one disk, and this kernel's XFS has no quota
  (``CONFIG_XFS_QUOTA``), so filling one would fill the kubelet's too. Full volumes are met for real in tests (test_volume.py).
- slow disks and I/O errors: this kernel has no device mapper and no fault injection, and its control groups do not hold back what is
  written through the page cache. It has FUSE, for which the platform has no program yet.
"""

from __future__ import annotations

from random import Random
from typing import Any

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import faultpod, inside, live
from kube.clients import Platform
from kube.fault import Arguments, Permission, duration_s, fault, lasts_for_s
from kube.mounted import path_of
from kube.objects import Pod
from kube.select import choose, pod_target, ready_pods

ENDS = "a watchdog on its node ends it after {for_s:g} s, whoever is left; it cannot outlive the pod"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, volume, for_s = arguments["role"], arguments["volume"], duration_s("make_read_only", arguments["for_s"])
    pods = choose(ready_pods(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    container = platform.target.role(role).container
    return [pod_target(pod, f"{_path(pod, container, volume)} is read-only for {for_s:g} s", ENDS.format(for_s=for_s)) for pod in pods]


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
    return [*inside.permissions(namespace), Permission("list", "pods", namespace=namespace), *faultpod.permissions(platform)]


@fault(resolve=_resolve, permissions=_permissions, tier="node", lasts_s=lasts_for_s)
def make_read_only(role: str, volume: str, for_s: float, count: int = 1) -> dict[str, Any]:
    """Let ``count`` ready pods of ``role`` write nothing to their ``volume`` (its name in the pod) for ``for_s`` seconds.

    A file that is being written is finished first. Raises as :func:`kube.faultpod.beside`.
    """
    container = live.require().platform.target.role(role).container
    return faultpod.beside(
        role, for_s, lambda pod: ("read-only", "--pod", pod.metadata.uid, "--path", _path(pod, container, volume)), count
    )
