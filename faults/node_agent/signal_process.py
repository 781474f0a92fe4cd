"""Runs inside the target pod, in an ephemeral container: kill one process, or stop or slow it for a while and let it go on.

It is its own timer: it sends CONT at its end, and also when it is told to end (TERM, INT, HUP), so nobody else is needed. Standard library
only, since its text is all that reaches the container. What it did goes to its log, one JSON object a line; that is the
injector's word, never evidence.

AFTERSHOCK_PROCESS: part of the command line that names the process. It stands in the environment, so that no process of ours matches.
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


def say(**what: object) -> None:
    """Write one line to the log."""
    print(json.dumps({**what, "t_ns": time.time_ns()}), flush=True)


def command_of(pid: int) -> str:
    """Return a process's command line; empty if it is gone, a zombie or a kernel thread."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def matching(part: str) -> list[int]:
    """Return the processes whose command line contains ``part``, but none that runs this text."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()]
    commands = {pid: command_of(pid) for pid in sorted(pids)}
    return [pid for pid, command in commands.items() if part in command and MARK not in command]


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
        say(refused=f"{len(pids)} processes have {part!r} in their command line, expected exactly 1", pids=pids)
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
