"""What a session has begun, on disk while it lasts: one that is killed half-way leaves it, and its report is made of that.

``sessions/ID.json`` below ``--chaos-out`` is the record, whole at any time. ``sessions/ID.lock`` is locked as long as the session, or a
run of it, is alive, however they end: a run that outlives its session heals and judges, and is waited for. ``sessions/ID.tried`` is the
record of a dead session whose report was begun: it is made once.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from history.values import FrozenModel

FOLDER = "sessions"
NAME = "AFTERSHOCK_SESSION"  # the environment's variable by which a night names its session, so that it knows that one's record
SESSION_SCHEMA = 1


class Planned(FrozenModel):
    """An experiment that a session is to run, and how often."""

    id: str
    title: str
    trials: int = 1


class Begun(FrozenModel):
    """A run that was begun, and its folder; ``refused``: that is its end, and ``left_out`` says why."""

    id: str
    path: Path
    refused: bool = False


class LeftOut(FrozenModel):
    """An experiment that was refused, or skipped, and why; ``asked``: the target has all that it needs."""

    id: str
    title: str
    reason: str
    refused: bool = False
    asked: bool = False


class SessionState(FrozenModel):
    """What is known of a session at one moment."""

    schema_version: int = SESSION_SCHEMA
    command: str
    nights: str = ""  # where its night is to be kept; empty: nowhere
    root: Path  # from which a relative place of nights counts
    planned: tuple[Planned, ...] = ()
    begun: tuple[Begun, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def not_begun(self) -> tuple[Planned, ...]:
        """The experiments of which nothing is known: no run was begun, and nothing left them out."""
        known = {one.id for one in self.begun} | {one.id for one in self.left_out}
        return tuple(one for one in self.planned if one.id not in known)

    @property
    def runs_missing(self) -> int:
        """How many runs were not begun; nobody waits for those of experiments that were skipped."""
        out = {one.id for one in self.left_out if not one.refused}  # one trial that is refused leaves the others
        return sum(one.trials for one in self.planned if one.id not in out) - sum(one.id not in out for one in self.begun)

    def incomplete(self, why: str) -> str:
        """Return that a night is incomplete, because of ``why`` (empty: it did not end early); empty: every run was begun."""
        missing = self.runs_missing
        if missing <= 0 or not why:
            return ""
        return f"This night is incomplete: {why}, and {missing} of {missing + len(self.begun)} runs were not begun."


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The record of the session that goes on. ``fd`` is its lock: a child that keeps it open is a part of the session."""

    path: Path
    fd: int

    @classmethod
    def begin(cls, out: Path, state: SessionState, name: str = "") -> SessionRecord:
        """Write the record of a session that begins (default name: a new one). Raises OSError: no place, or the name is taken."""
        path = record_of(out, name or new_name())
        path.parent.mkdir(parents=True, exist_ok=True)
        record = cls(path, os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(record.fd, fcntl.LOCK_EX)
            record.write(state)
        except OSError:
            record.end()
            raise
        return record

    def write(self, state: SessionState) -> None:
        """Write what is known now, whole or not at all. Raises OSError."""
        part = self.path.with_suffix(".part")
        part.write_text(state.model_dump_json(indent=1), encoding="utf-8")
        part.replace(self.path)

    def end(self) -> None:
        """Take the record away: the session has its report. Raises OSError: it stays."""
        try:
            forget(self.path)
        finally:
            os.close(self.fd)


def new_name() -> str:
    """Return a name for a session; names sort by age."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def record_of(out: Path, name: str) -> Path:
    """Return where the record of a session is, as long as there is one."""
    return out / FOLDER / f"{name}.json"


def forget(path: Path) -> None:
    """Take a record away, its lock last."""
    for one in (path, path.with_suffix(".part"), path.with_suffix(".lock")):
        one.unlink(missing_ok=True)


def take_up(path: Path) -> Path:
    """Rename a dead session's record before its report is made, so that this is tried once; return its place. Raises OSError."""
    return path.rename(path.with_suffix(".tried"))


def alive(path: Path) -> bool:
    """Tell whether the session of a record, or a run of it, goes on; nobody is waited for whose lock cannot be opened."""
    try:
        if path.exists():
            os.close(_lock_of_dead(path))
    except OSError as error:
        return isinstance(error, BlockingIOError)
    return False


@contextmanager
def of_dead_sessions(out: Path, say: Callable[[str], None]) -> Iterator[Sequence[Path]]:
    """Hold the records below ``out`` whose sessions are dead, oldest first, so that nobody else takes them up meanwhile.

    A record whose lock cannot be opened, another user's for example, is left out, and ``say`` gets the reason.
    """
    dead: list[Path] = []
    with ExitStack() as locks:
        for path in sorted((out / FOLDER).glob("*.json")):
            try:
                locks.callback(os.close, _lock_of_dead(path))
                if path.exists():
                    dead.append(path)
                else:  # its session ended in order meanwhile
                    forget(path)
            except BlockingIOError:
                continue
            except OSError as error:
                say(f"{path}: whether this session was killed cannot be told ({error}); let its user run the suite, or delete the record")
        yield dead


def _lock_of_dead(path: Path) -> int:
    """Lock a record and return the lock. Raises BlockingIOError: its session is alive; OSError: it cannot be opened."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
