"""A program that is not called kubelet and serves a kubelet's port, as a multi-call binary does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = """
import os, socket, sys
host, forks = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
listening = socket.create_server((host, 0), family=family)
if forks == "True" and not os.fork():
    sys.stdin.read()
    sys.exit()
print(listening.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def other_kubelet(name: str, host: str = "127.0.0.1", *, forks: bool = False) -> Iterator[tuple[int, int]]:
    """Run the program as ``name``; yield its process and its port. With ``forks``, a child shares its socket."""
    words = [name, "-c", PROGRAM, host, str(forks)]
    with subprocess.Popen(words, executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.pid, int(process.stdout.readline())
        process.stdin.close()
