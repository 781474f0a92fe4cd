"""Damage and its undo take turns: one process at a time, and no damage after the undo.

FILE says, as JSON, what the undo came to. FILE.pid names the process at work, which has it locked: the kernel frees the lock of one that
was killed. Both stand on the server's disk, in a folder for these programs alone: they are still there when the pod is replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from faults.node_agent.node import Refused, say
from faults.node_agent.storage.beside import StorageFailed

LIMIT_S, POLL_S, STANDBY_S = 30.0, 0.05, 1.0
PROGRAMS = b"faults.node_agent.storage"  # in the command line of each
STALE_S = 86400.0  # so old, nobody asks any more what an undo came to


@contextmanager
def damaging(outcome: Path) -> Iterator[bool]:
    """Be the process at work; False: the undo is at work or was here, so nothing may be damaged any more."""
    with _lock_file(outcome) as file:
        yield _locked(file) and not outcome.exists()


@contextmanager
def undoing(outcome: Path) -> Iterator[None]:
    """Tell the process at work to end, and take its place. Raises StorageFailed: it has not ended after 30 s."""
    with _lock_file(outcome) as file:
        told, end_s = "", time.monotonic() + LIMIT_S
        while not _locked(file):
            if time.monotonic() > end_s:
                raise StorageFailed(f"process {told}: told to end {LIMIT_S:g} s ago, and still at work; end it, then undo again")
            file.seek(0)
            if not told and (told := file.read()) and _is_ours(told):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(int(told), signal.SIGTERM)
            time.sleep(POLL_S)
        yield


def _is_ours(pid: str) -> bool:
    """Tell whether a number names a program of this folder here: one at work in another pod, on the same disk, counts otherwise."""
    try:
        return PROGRAMS in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def standby(outcome: Callable[[], Path], after_s: float) -> None:
    """Wait until the undo was here, or until it is time to do it: whoever was to do it is lost. ``outcome`` returns where it lies now.

    Raises:
        Refused: it does not find the server.

    """
    outcome()
    say(armed="standby", acts_in_s=after_s)
    end_s = time.monotonic() + after_s
    while time.monotonic() < end_s:
        time.sleep(STANDBY_S)
        with suppress(Refused):  # a server that is being restarted
            if outcome().exists():
                return


def pass_by(outcome: Path) -> None:
    """Do nothing, since another process is at work on the same disk (two servers may share one). Raises Refused: the undo was here."""
    if outcome.exists():
        raise Refused("its undo was here before it")
    say(armed="nothing: another process is at work on the same disk")
    say(did="left to the other")


def write_outcome(outcome: Path, said: Mapping[str, object]) -> None:
    """Leave in ``outcome`` what the undo came to: whole, or not at all."""
    part = outcome.with_suffix(".part")
    part.write_text(json.dumps(said))
    part.replace(outcome)


def _lock_file(outcome: Path) -> TextIOWrapper:
    outcome.parent.mkdir(parents=True, exist_ok=True)
    for old in outcome.parent.glob("aftershock-*.json*"):
        with suppress(FileNotFoundError):  # a program beside this one tidies, too
            if time.time() - old.stat().st_mtime > STALE_S and not old.name.startswith(outcome.name):
                old.unlink()
    return outcome.with_name(f"{outcome.name}.pid").open("a+")


def _locked(file: TextIOWrapper) -> bool:
    """Lock the file for this process and write its number there; tell whether nobody else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return True
