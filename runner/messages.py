"""What the child sends to its parent: JSON lines on the standard output it was started with; the parent shows them.

Everything else that the process prints goes to the run's own log, so a line is a message or nothing.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from runner.redact import redact_object


class Kind(StrEnum):
    """Kinds of messages."""

    PHASE = "phase"  # a phase begins: name
    SEEN = "seen"  # what is seen now: seconds of the phase, text; while recovery is waited for: rto_s (the budget), left_s of it
    DONE = "done"  # a phase ended: name, seconds, text
    NOTE = "note"  # a sentence worth showing at once: text
    RESOLVED = "resolved"  # preflight passed: targets, permissions, floor (shown by a dry run)
    REFUSED = "refused"  # preflight refused; nothing was injected: text, risks (weaknesses that the refusal shows)
    VERDICT = "verdict"  # the run was judged: verdict, sentence


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    kind: Kind
    fields: dict[str, Any] = field(default_factory=dict)

    def text(self, key: str = "text") -> str:
        """Return a field as text."""
        return str(self.fields.get(key, ""))


def read_message(line: str) -> Message | None:
    """Return the message in ``line``, or None if it is none (a library printed past the child's own log)."""
    try:
        raw = json.loads(line)
        return Message(Kind(raw.pop("kind")), raw)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


class Send(Protocol):
    """Where messages for the person at the terminal go."""

    def __call__(self, kind: str, /, **fields: object) -> None:
        """Send one message. ``kind`` is a :class:`Kind`."""


class Pipe:
    """Writes messages to a file descriptor. Without a parent that reads them, the run goes on and heals."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.RLock()  # a signal handler may speak while the main thread does

    def __call__(self, kind: str, /, **fields: object) -> None:
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
