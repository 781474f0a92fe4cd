"""Programs without any privilege: as the user nobody, although the interpreter may lie in root's home."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOBODY = 65534
OPENED = """
place=$1; shift
mount --rbind "$place" /mnt
mount -t tmpfs -o mode=755 opened "/$(echo "$place" | cut -d/ -f2)"
mkdir -p "$place"
mount --rbind /mnt "$place"
exec "$@"
"""
"""In a mount namespace of its own, ``place`` can be reached by everybody: nothing else of the folder below the root is there."""


def as_nobody(command: Sequence[str]) -> list[str]:
    """Return the command line that runs ``command`` as nobody; whoever is not root runs it as they are."""
    if os.geteuid():
        return list(command)
    plain = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", *command]
    place = Path(sys.executable).resolve().parent.parent
    if all(folder.stat().st_mode & 0o1 for folder in place.parents):
        return plain
    return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", OPENED, "sh", str(place), *plain]


@contextmanager
def open_folder() -> Iterator[Path]:
    """Hold a folder that nobody may write to: tests' own are their user's."""
    with TemporaryDirectory() as name:
        if not os.geteuid():
            os.chown(name, NOBODY, NOBODY)
        yield Path(name)
