"""The server beside which a program runs: its files, by the processes that it can see, and what the program says in its log.

A process's ``/proc/PID/root`` is the container's file system, volumes and all. The kernel shows it to whoever has the same user and group
and no fewer capabilities.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from faults.node_agent.commands import seconds
from faults.node_agent.node import Refused, say

LEAD_S = 1.0  # between saying "armed" and acting, so that all servers are hit at once
LONGEST_S = 120.0


class StorageFailed(Exception):
    """What is stored could not be damaged, or not be restored; the sentence says why."""


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


def parser_of(program: str, about: str | None, kinds: Iterable[str]) -> argparse.ArgumentParser:
    """Return a parser with the options that all programs beside a server have; ``about``: the module's docstring."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=(about or "").splitlines()[0])
    parser.add_argument("--buckets", required=True, metavar="FOLDER", help="how the server is found: a folder that its process has")
    parser.add_argument("--outcome", required=True, metavar="FILE", help="says that it was undone, and what that did")
    parser.add_argument("--kind", choices=sorted(kinds), default="bit-flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--for", dest="for_s", type=seconds(LONGEST_S), default=5.0, metavar="S")
    parser.add_argument("--after", type=float, default=0.0, metavar="S", help="undo: so long from now, if nobody did before")
    return parser


def status_of(act: Callable[[], None]) -> int:
    """Do what was asked for; return the exit status, and say in the log why it was not done."""
    try:
        act()
    except Refused as error:
        say(refused=str(error))
        return 3
    except (StorageFailed, OSError) as error:
        say(failed=str(error))
        return 4
    return 0
