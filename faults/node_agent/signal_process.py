"""Runs inside the target pod, in an ephemeral container: kill one process, or stop or slow it for a while and let it go on.

It is its own timer: it sends CONT at its end, and also when it is told to end (TERM, INT, HUP), so nobody else is needed. Standard library
only, since its text is all that reaches the container. What it did goes to its log, one JSON object a line; that is the
injector's word, never evidence.

AFTERSHOCK_PROCESS: part of the command line that names the process. It stands in the environment, so that no process of ours matches.
AFTERSHOCK_TITLE, AFTERSHOCK_LISTENS, AFTERSHOCK_CHILD_OF, AFTERSHOCK_PICK: what else holds of it (target.role.Process); left out: nothing.
AFTERSHOCK_FOR_S: seconds to keep it stopped; 0 kills it.
AFTERSHOCK_SHARE: share of each second for which it is stopped meanwhile; 1: all the time.
Exit status: 0 done, 3 no such process or more than one, 4 not permitted.
"""

import json
import os
import signal
import sys
import time
from itertools import cycle
from pathlib import Path

MARK = "AFTERSHOCK_PROCESS"  # in this text, hence in the command line of every process that runs it
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
PERIOD_S = 1.0
LISTEN = "0A"  # the state of a socket that takes connections, in /proc/net/tcp


def say(**what: object) -> None:
    """Write one line to the log."""
    print(json.dumps({**what, "t_ns": time.time_ns()}), flush=True)


def command_of(pid: int) -> str:
    """Return a process's command line; empty if it is gone, a zombie or a kernel thread."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def stat_of(pid: int) -> tuple[str, int, int]:
    """Return a process's name, its parent and when it was started (ticks since the boot), by proc_pid_stat(5); nothing if it is gone."""
    try:
        before, _, after = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
    except OSError:
        return "", 0, 0
    fields = after.split()
    return before.partition("(")[2], int(fields[1]), int(fields[19])


def listeners(port: int) -> set[str]:
    """Return the sockets that listen on a TCP port of this network, as links in ``/proc/PID/fd`` name them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        found |= {f"socket:[{row[9]}]" for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port}
    return found


def sockets_of(pid: int) -> set[str]:
    """Return what a process has open, as its links say; nothing if it is gone or may not be looked into."""
    try:
        return {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def matching(part: str) -> list[int]:
    """Return the processes of which all holds that the environment says, but none that runs this text."""
    title, port, parent = (os.environ.get(f"AFTERSHOCK_{name}", "") for name in ("TITLE", "LISTENS", "CHILD_OF"))
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]
    commands = {pid: command_of(pid) for pid in sorted(pids)}
    stats = {pid: stat_of(pid) for pid in commands}
    listening = listeners(int(port)) if port else set()
    found = [
        pid
        for pid, command in commands.items()
        if command and part in command and MARK not in command
        and (not title or stats[pid][0] == title)
        and (not parent or parent in commands.get(stats[pid][1], ""))
        and (not port or listening & sockets_of(pid))
    ]  # fmt: skip
    newest = os.environ.get("AFTERSHOCK_PICK") == "newest"
    return sorted(found, key=lambda pid: (stats[pid][2], pid))[-1:] if newest else found


def described() -> str:
    """Return in words what the environment says of the process."""
    names = {"PROCESS": "in their command line", "TITLE": "as their name", "LISTENS": "as a port they listen on", "CHILD_OF": "as parent"}
    said = [f"{os.environ[f'AFTERSHOCK_{name}']!r} {text}" for name, text in names.items() if os.environ.get(f"AFTERSHOCK_{name}")]
    return " and ".join(said)


def stop(process: int, for_s: float, share: float) -> None:
    """Stop the process (a pidfd) for ``share`` of the time, ``for_s`` seconds long or until one of ENDINGS arrives; then let it go on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    period_s, told = (PERIOD_S if share < 1 else for_s), None
    try:
        signal.pidfd_send_signal(process, signal.SIGSTOP)
        say(did="stopped", for_s=for_s, share=share)
        until = time.monotonic() + for_s
        for order, lasts_s in cycle(((signal.SIGSTOP, share * period_s), (signal.SIGCONT, (1 - share) * period_s))):
            left_s = until - time.monotonic()
            if told is not None or left_s <= 0:
                break
            signal.pidfd_send_signal(process, order)
            told = signal.sigtimedwait(ENDINGS, min(lasts_s, left_s))
    finally:
        signal.pidfd_send_signal(process, signal.SIGCONT)
    say(did="continued", because="time is over" if told is None else signal.Signals(told.si_signo).name)


def main() -> int:
    """Do what the environment asks for; return the exit status."""
    part, for_s, share = os.environ[MARK], float(os.environ["AFTERSHOCK_FOR_S"]), float(os.environ.get("AFTERSHOCK_SHARE", "1"))
    pids = matching(part)
    if len(pids) != 1:
        say(refused=f"{len(pids)} processes have {described()}, expected exactly 1", pids=pids)
        return 3
    process = os.pidfd_open(pids[0])  # unlike a number, it can't come to mean another process
    try:
        if for_s > 0:
            stop(process, for_s, share)
        else:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            say(did="killed", pid=pids[0])
    except ProcessLookupError:
        say(did="ended", because="the process is gone")
    except PermissionError as error:
        say(refused=f"process {pids[0]} may not be signalled: {error}; this runs as user {os.getuid()}")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
