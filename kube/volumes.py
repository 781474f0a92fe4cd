"""Where a pod has its volumes."""

from __future__ import annotations

from kube.objects import Pod


def path_of(pod: Pod, container: str | None, volume: str) -> str | None:
    """Return where a pod's container has a volume of that name; None if it has none."""
    mounts = [mount for one in pod.spec.containers if one.name == container for mount in one.volume_mounts or []]
    return next((str(mount.mount_path) for mount in mounts if mount.name == volume), None)
