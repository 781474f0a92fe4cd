"""What the child tells its parent while it runs: JSON lines on the standard output that it was started with.

The rest of the process, libraries that print included, writes to the run's own log instead, so a line is a message or nothing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Protocol

from runner.redact import redact_object


class Tell(Protocol):
    """Where messages for the person at the terminal go."""

    def __call__(self, kind: str, /, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
        """Send one message. Kinds: phase, seen, done, note, refused, resolved, verdict (see :mod:`runner.messages`)."""


class Pipe:
    """Writes messages to a file descriptor; a parent that is gone is no reason to stop healing."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.RLock()  # a signal handler may speak while the main thread does

    def __call__(self, kind: str, /, **fields: Any) -> None:  # noqa: ANN401 - any JSON value
        """Send one message."""
        line = json.dumps({"kind": kind, **redact_object(fields)}, default=str).encode() + b"\n"
        try:
            with self._lock:
                os.write(self._fd, line)
        except OSError:
            self._fd = os.open(os.devnull, os.O_WRONLY)


def take_stdout(log: Path) -> Pipe:
    """Keep the standard output for messages and send everything else that is printed to the file ``log``."""
    pipe = Pipe(os.dup(1))
    sys.stdout.flush()
    sys.stderr.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return pipe
