"""An API and its engine with one command line, as a fork makes them, and the program of a fault that is to hit the engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

from faults.mechanisms.process_signal import SCRIPT, WHICH
from testing.waiting import wait_for

ENGINE = "the-engine"  # its name, which it gives itself
PROGRAM = """
import os, socket, sys, time
child = os.fork()
if child:
    print(child, flush=True)
else:
    open("/proc/self/comm", "w").write("the-engine")
    server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
    open(sys.argv[3], "w").close()
time.sleep(600)
"""


class Forked(NamedTuple):
    """A part of the command line of both, their pids, and the port on which the engine listens."""

    name: str
    api: int
    engine: int
    port: int


@contextmanager
def forked() -> Iterator[Forked]:
    """Run both until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory() as folder:
        name, listening = f"serve-{uuid4()}", Path(folder) / "listening"
        command = [sys.executable, "-c", PROGRAM, name, str(port), str(listening)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
            assert api.stdout is not None
            engine = int(api.stdout.readline())
            try:
                wait_for(listening.exists, "the engine listens")
                yield Forked(name, api.pid, engine, port)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(engine, signal.SIGKILL)
                api.kill()


def signalling(name: str, for_s: float, **which: object) -> dict[str, str]:
    """Return the environment of the program that stops a process: ``which`` says of it what a role's ``process`` may."""
    said = {"AFTERSHOCK_PROCESS": name, "AFTERSHOCK_FOR_S": f"{for_s:g}", "AFTERSHOCK_SHARE": "1"}
    return os.environ | said | {WHICH[key]: str(value) for key, value in which.items()}


def stopped(name: str, api: int, engine: int, **which: object) -> str:
    """Let the program stop a process, and return which it was."""
    environment = signalling(name, 600, **which)
    with subprocess.Popen([sys.executable, "-c", SCRIPT.read_text()], env=environment, stdout=subprocess.PIPE, text=True) as program:
        wait_for(lambda: program.poll() is not None or "T" in {state_of(api), state_of(engine)}, "one is stopped, or it is refused")
        states = (state_of(engine), state_of(api))
        program.terminate()
        said = program.communicate()[0]
    return {("T", "S"): "the engine, not the API", ("S", "T"): "the API, not the engine"}.get(states, said.strip())


def state_of(pid: int) -> str:
    """Return the kernel's letter of a process: T stopped, S asleep."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
