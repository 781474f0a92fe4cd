"""Where a pod has its volumes, and how its kernel has them mounted. Imports nothing but the standard library: fault pods use it."""

from __future__ import annotations

from kube.objects import Pod

ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))  # proc_pid_mountinfo(5)


def path_of(pod: Pod, container: str | None, volume: str) -> str | None:
    """Return where a pod's container has a volume of that name; None if it has none."""
    mounts = [mount for one in pod.spec.containers if one.name == container for mount in one.volume_mounts or []]
    return next((str(mount.mount_path) for mount in mounts if mount.name == volume), None)


def options_at(mounts: str, path: str) -> list[str]:
    """Return the options of the uppermost mount at ``path`` (``mounts`` as in /proc/PID/mountinfo); none if nothing is mounted there."""
    found: list[str] = []
    for line in mounts.splitlines():
        fields = line.split()
        point = fields[4]
        for code, character in ESCAPED:
            point = point.replace(code, character)
        if point == path:
            found = fields[5].split(",")
    return found
