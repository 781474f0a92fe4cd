"""Parts of the control plane that are held down: whatever of them runs is killed at once, until their time is over.

The control plane's own init starts what was killed again a second later, as a kubelet does with static pods. So to users it looks like an
API server that crashes whenever it is started, and it is over within a second once nobody holds it down any more: the end needs nobody.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from cluster.host import cgroups
from cluster.machines.control_plane import PARTS
from cluster.machines.machine import CONTROL, group_of
from cluster.state import State

_EVERY_S = 0.1  # an API server takes longer than that from its start to its first answer

log = logging.getLogger("power")


def kill_parts(state: State, parts: Iterable[str]) -> list[str]:
    """Kill the programs of these parts that run now; return their names."""
    doomed = {program for part in parts for program in PARTS[part]}
    killed = []
    for pid in sorted(cgroups.members(group_of(state.name, CONTROL))) if doomed else ():
        if (program := _program(pid)) in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(program)
    return killed


def _program(pid: int) -> str:
    """Return the name under which a process was started; empty: it is gone."""
    try:
        return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()).name
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Keeper(threading.Thread):
    """Holds down what `down` names, for as long as the power controller lives. A thread: booting a node takes the controller seconds."""

    def __init__(self, state: State, down: Callable[[], Iterable[str]]) -> None:
        super().__init__(name="held-down", daemon=True)
        self._state, self._down = state, down
        self._wrong = ""

    def run(self) -> None:
        """Look ten times a second, for ever."""
        while True:
            self._look()
            time.sleep(_EVERY_S)

    def _look(self) -> None:
        """Look once. A look that fails ends nothing: the next one comes; what is wrong is logged once, and not ten times a second."""
        try:
            kill_parts(self._state, self._down())
        except OSError as error:  # a cgroup that goes while it is read, for one
            if str(error) != self._wrong:
                log.warning("the control plane was not looked at: %s; trying again every %g s", error, _EVERY_S)
            self._wrong = str(error)
        else:
            self._wrong = ""
