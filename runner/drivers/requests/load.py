"""The load as the runner sees it: a process of its own that says READY, records every request, and drains when asked to end."""

from __future__ import annotations

import json
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from history.errors import AftershockError
from history.workloads import Load
from target.environment import environment_of
from target.target import Target

ROOT = Path(__file__).parents[3]
READY_S = 60.0  # importing locust and writing the schedule, on a busy machine
POD_S = 60.0  # more, for a node to be chosen, an image to be pulled and a pod to run
COMMAND = ("-m", "workloads.load", "run")
RELAY = shlex.join((sys.executable, "-m", "runner.drivers.requests.load_relay"))  # stands in a worker's place while that runs in a pod
DRAIN_S = 15.0  # beyond the plan's own request time-out


class LoadFailed(AftershockError):
    """The load did not start, or ended before it was asked to."""


class LoadLike(Protocol):
    """What phases need of the load."""

    def failure(self) -> str:
        """Return why the load is not running although nobody ended it; empty while all is well."""

    def end(self) -> str:
        """Stop new arrivals, wait for the drain; return what went wrong, or nothing. Idempotent."""


class LoadProcess:
    """``python -m workloads.load run RUN_DIR``; its workers may be pods of ``target``."""

    def __init__(self, run_dir: Path, load: Load, target: Target) -> None:
        self._run_dir, self._load = run_dir, load
        self._log = run_dir / "load.log"
        self._ended = False
        far = load.workers_as == "pods"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *COMMAND, str(run_dir), *(("--each", RELAY) if far else ())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,  # so that select() knows of every line
                cwd=ROOT,
                env=os.environ | (environment_of(target) if far else {}),
                start_new_session=True,
            )

    def wait_ready(self) -> int:
        """Wait for the READY line and return when the schedule begins (ns UTC).

        Raises:
            LoadFailed: it ended instead, or said nothing for 60 s (120 s, if its workers are pods).

        """
        limit_s = READY_S + (POD_S if self._load.workers_as == "pods" else 0.0)
        until = time.monotonic() + limit_s
        assert self._process.stdout is not None  # noqa: S101 - for the type checker: it was opened as a pipe
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while (left_s := until - time.monotonic()) > 0:
                if not selector.select(left_s):
                    continue
                line = self._process.stdout.readline()
                if not line:
                    raise LoadFailed(self._sentence("ended before it was ready"))
                if (origin := _origin(line)) is not None:
                    return origin
        self.kill()
        raise LoadFailed(self._sentence(f"was not ready after {limit_s:.0f} s"))

    def failure(self) -> str:
        """Return why the load is not running although nobody ended it; empty while all is well."""
        code = self._process.poll()
        return "" if code is None or self._ended else self._sentence(f"ended by itself with exit code {code}")

    def end(self) -> str:
        """Stop new arrivals, wait for the drain; return what went wrong, or nothing. Idempotent."""
        wrong = self.failure()
        self._ended = True
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(self._load.timeout_s + DRAIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._sentence("did not drain in time and was killed")
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()
        return wrong or (self._sentence(f"ended with exit code {code}") if code else "")

    def kill(self) -> None:
        """End it at once; what it wrote stays."""
        self._ended = True
        self._process.kill()
        self._process.wait()

    def _sentence(self, what: str) -> str:
        said = self._log.read_text(errors="replace").strip().splitlines()
        last = f"; it said: {' '.join(line[:300] for line in said[-2:])}" if said else ""
        return f"load: {self._load.url}: the generator {what}{last}; its log is {self._log}"


def _origin(line: bytes) -> int | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if isinstance(message, dict) and message.get("event") == "READY":
        return int(message["origin_ns"])
    return None
