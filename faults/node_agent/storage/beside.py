"""The server beside which a program runs: its files, by the processes that it can see, and what the program says in its log.

A process's ``/proc/PID/root`` is the container's file system, volumes and all. The kernel shows it to whoever has the same user and group
and no fewer capabilities.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from faults.node_agent.node import Refused

LEAD_S = 1.0  # between saying "armed" and acting, so that all servers are hit at once
LONGEST_S = 120.0


class StorageFailed(Exception):
    """What is stored could not be damaged, or not be restored; the sentence says why."""


def say(**what: object) -> None:
    """Write one line to the log."""
    print(json.dumps({**what, "t_ns": time.time_ns()}), flush=True)


def root_of(folder: str) -> Path:
    """Return the root of a process beside this one that has ``folder`` (a path of the server's container).

    Raises:
        Refused: none has, or none that may be looked into.

    """
    closed = []
    pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid())
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/root{folder}").stat():
                return Path(f"/proc/{pid}/root")
        except PermissionError:
            closed.append(pid)
        except OSError:
            continue
    why = f"; {len(closed)} may not be looked into by user {os.getuid()}, group {os.getgid()} without capabilities" if closed else ""
    raise Refused(
        f"none of {len(pids)} processes beside this one has the folder {folder}{why}; correct buckets under the role's object_store"
    )


def armed(what: str) -> None:
    """Announce, and wait until it is time to act; a program that is told to end meanwhile ends, and nothing was touched."""
    say(armed=what, acts_in_s=LEAD_S)
    time.sleep(LEAD_S)


def bounded_s(text: str) -> float:
    """Return seconds, above 0 and at most 120. Raises ValueError."""
    value = float(text)
    if not 0 < value <= LONGEST_S:
        raise ValueError(f"{text} is not above 0 and at most {LONGEST_S:g}")
    return value
