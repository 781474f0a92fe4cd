"""How a pod's kernel has its volumes mounted. Evidence reads the same table, from inside the pod."""

from __future__ import annotations

from dataclasses import dataclass

ESCAPED = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))  # proc_pid_mountinfo(5)
FUSE = "fuse.aftershock"  # the type of what the suite mounts over a folder


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount: its own options (not its file system's), the file system's type, and whether what is mounted upon it shows up elsewhere."""

    options: tuple[str, ...]
    kind: str
    shared: bool


def mount_at(mounts: str, path: str) -> Mount | None:
    """Return the uppermost mount at ``path`` (``mounts`` as in /proc/PID/mountinfo); None if nothing is mounted there."""
    found = None
    for line in mounts.splitlines():
        own, _, file_system = line.partition(" - ")
        fields = own.split()
        point = fields[4]
        for code, character in ESCAPED:
            point = point.replace(code, character)
        if point == path:
            shared = any(tag.startswith("shared:") for tag in fields[6:])
            found = Mount(tuple(fields[5].split(",")), file_system.split()[0], shared)
    return found
