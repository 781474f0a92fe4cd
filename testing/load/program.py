"""A server of ours in a process of its own, which says on its first line where it listens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Program(NamedTuple):
    """One that runs on loopback."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def program(module: str, *options: str) -> Iterator[Program]:
    """Run ``python -m module`` with ``options`` until the block ends; whatever it writes at its end is written then."""
    process = subprocess.Popen([sys.executable, "-m", module, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        said: dict[str, Any] = json.loads(process.stdout.readline())
        yield Program(said["port"], process.pid)
    finally:
        process.terminate()
        process.communicate()
