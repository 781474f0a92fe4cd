"""A load generator that a fault started beside the run's own: where it keeps its record, and how it is ended before its time.

It is a process of the machine that the suite runs on. It ends with its schedule, or when the process that started it is gone, and cuts off
what is under way then, so that nothing of it outlives the suite for longer than a second. Nobody on another machine can end it, or has to.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from platform import node as machine

import psutil

from history.errors import UndoFailed
from safety.active_run import ActiveRun
from safety.plain_names import plain_name
from safety.undo_journal import Undo

PROGRAM = "workloads.load"
FOLDER = "extra-load"  # of the run folder
ENDS_S = 2.0  # once it was told to end, which it does at once; then it is killed


def folder_of(run: ActiveRun, activity: str) -> Path:
    """Return where the load generator of ``activity`` keeps its record: schedule, a row for every attempt, its own account."""
    return run.run_dir.resolve() / FOLDER / plain_name(activity)


def end_load(undo: Undo) -> str:
    """End the load generator that writes into the folder that ``undo`` names, if it runs here; return what was done.

    Raises:
        UndoFailed: it is still there, or another user's.

    """
    found = [process for process in psutil.process_iter(["cmdline"]) if _writes_into(process.info["cmdline"] or [], undo.object)]
    if not found:
        where = "" if machine() == undo.detail else f"; it was one of machine {undo.detail}"
        return f"load generator of {undo.activity}: it does not run{where}: it ended with its time, or with the suite"
    for process in found:
        _tell(process, process.terminate, undo.activity)
    _, left = psutil.wait_procs(found, ENDS_S)
    for process in left:
        _tell(process, process.kill, undo.activity)
    if still := psutil.wait_procs(left, ENDS_S)[1]:
        raise UndoFailed(f"load generator of {undo.activity}: process {still[0].pid} does not end; kill it: kill -9 {still[0].pid}")
    return f"load generator of {undo.activity}: ended"


def _tell(process: psutil.Process, order: Callable[[], None], activity: str) -> None:
    """Give ``process`` an order; one that has ended meanwhile needs none. Raises UndoFailed: it is another user's."""
    try:
        order()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise UndoFailed(
            f"load generator of {activity}: process {process.pid} is another user's, and this one may not end it; as its owner, "
            f"or as root: kill {process.pid}, then heal again"
        ) from error


def _writes_into(command: list[str], folder: str) -> bool:
    return PROGRAM in command and folder in command
