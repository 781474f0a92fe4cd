"""``python -m faults.node_agent.main``: what runs in a fault pod, on the node itself: prepare, say so, act, end.

    python -m faults.node_agent.main --help          the words; each effect registers its own
    … silence --for S --not-after T                  one of them: it refuses to act after T (Unix time, s)

Whatever it sets is ended by three, each of which is enough: this program (its time is over, or SIGTERM), a watchdog process outside the
pod's control groups (it outlives the pod, a frozen kubelet and this program), and, for the network, the kernel (elements of an nftables
set with a timeout). Nothing is set unless the watchdog stands. Standard library only: it must start fast, and outlive its files.

Its log is one JSON object a line, the injector's word, never evidence. Exit status: 0 done, 2 usage, 3 refused, 4 failed and undone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from faults.node_agent import cgroups
from faults.node_agent.commands import COMMANDS, seconds
from faults.node_agent.node import Effect, Refused, say

LEAD_S = 1.5  # between saying "armed" and acting, so that it can still be heard from a node that is about to be silent
WATCH_S = 1.0  # the watchdog waits so much longer than this program
LOOK_S = 0.1  # between looks at what makes the effect
LONGEST_S = 600.0
ENDINGS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

for _module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _module.name != Path(__file__).stem:
        importlib.import_module(f"faults.node_agent.{_module.name}")  # each registers its words


def main(arguments: list[str] | None = None) -> int:
    """Carry out one fault; return the exit status."""
    options = parser().parse_args(arguments)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        if time.time() > options.not_after:
            raise Refused(f"started {time.time() - options.not_after:.1f} s after the latest moment; nobody waits for it any more")
        effect = effect_of(options)
        watchdog = watched(effect, LEAD_S + options.for_s + WATCH_S)
    except (Refused, OSError, subprocess.SubprocessError) as error:
        say(refused=str(error))
        return 3
    return carry_out(effect, options.for_s, watchdog)


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; every argument is bounded."""
    made = argparse.ArgumentParser(prog="python -m faults.node_agent.main", description=(__doc__ or "").splitlines()[0])
    commands = made.add_subparsers(dest="command", required=True)
    for name, registered in COMMANDS.items():
        command = commands.add_parser(name, help=registered.says)
        command.add_argument("--for", dest="for_s", type=seconds(LONGEST_S), required=True, metavar="S")
        command.add_argument("--not-after", type=float, required=True, metavar="UNIX_S", help="refuse to act after this moment")
        for argument, read in registered.arguments.items():
            command.add_argument(f"--{argument.replace('_', '-')}", type=read, required=True)
    return made


def effect_of(options: argparse.Namespace) -> Effect:
    """Prepare what the command line asks for. Raises Refused, OSError, SubprocessError."""
    return COMMANDS[options.command].prepare(options)


def carry_out(effect: Effect, for_s: float, watchdog: int) -> int:
    """Announce, act, wait until the time is over or this program is told to end, undo."""
    say(armed=effect.name, acts_in_s=LEAD_S, for_s=for_s, watchdog=watchdog)
    told, status = signal.sigtimedwait(ENDINGS, LEAD_S), 0
    try:
        if told is None:
            effect.begin()
            say(did=effect.name)
            told = stands(effect, for_s)
    except (OSError, subprocess.SubprocessError) as error:
        say(failed=str(error))
        status = 4
    finally:
        effect.end()
        dismiss(watchdog)
    say(did="ended", because="time is over" if told is None else signal.Signals(told.si_signo).name)
    return status


def stands(effect: Effect, for_s: float) -> signal.struct_siginfo | None:
    """Wait until the time is over (None) or this program is told to end (by what). Raises OSError: what makes the effect has died."""
    until = time.monotonic() + for_s
    while (left := until - time.monotonic()) > 0:
        told = signal.sigtimedwait(ENDINGS, min(left, LOOK_S))
        if told is not None:
            return told
        if not effect.lives():
            raise OSError(f"{effect.name}: the program that makes it has died")
    return None


# the watchdog


def watched(effect: Effect, after_s: float) -> int:
    """Start the watchdog outside this pod's control groups and return its process. Raises Refused: it can't get out of them."""
    until = time.monotonic() + after_s
    pid = os.fork()
    if not pid:
        _watch(effect, until)
    try:
        cgroups.leave(pid)
    except Refused:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    return pid


def dismiss(watchdog: int) -> None:
    """Tell the watchdog that it is over (it undoes once more, which changes nothing)."""
    os.kill(watchdog, signal.SIGTERM)
    os.waitpid(watchdog, 0)


def _watch(effect: Effect, until: float) -> None:
    """Be the watchdog: wait, end the fault, whatever has become of everybody else. The pod's log is closed, or it would hold the pod."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    try:
        signal.sigtimedwait(ENDINGS, max(0.0, until - time.monotonic()))
        effect.end()
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
