"""A folder of this machine that is full, fails or is slow, by the program that does it to volumes of pods."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import build
from faults.node_agent import fuse


@dataclass
class SickDisk:
    """``folder`` is what a pod would meet, ``below`` the same folder on the disk, past the program."""

    folder: Path
    below: Path
    server: subprocess.Popen[bytes]
    leave_open: bool = False
    """Whether a test keeps a file of it open, and so the program, beyond the end."""

    def heal(self) -> None:
        """Do no more harm from now on."""
        assert self.server.stdin is not None
        self.server.stdin.write(b"-")
        self.server.stdin.flush()


@contextmanager
def sick(folder: Path, *words: str) -> Iterator[SickDisk]:
    """Mount it over ``folder``, and take it away at the end: nothing may still have a file of it open then."""
    program = build.program(fuse.PROGRAM, print)
    below, device = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), os.open(fuse.DEVICE, os.O_RDWR)
    fuse.mount(device, str(folder), below)
    server = subprocess.Popen(
        [program, *words, "-device", str(device)],
        cwd=f"/proc/self/fd/{below}",
        pass_fds=[device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    os.close(device)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        assert server.stdout.readline() == b"serving\n"
        disk = SickDisk(folder, Path(f"/proc/{os.getpid()}/fd/{below}"), server)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        os.close(below)
        for pipe in (server.stdin, server.stdout):
            pipe.close()
    assert disk.leave_open or server.wait(30) == 0
