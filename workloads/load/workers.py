"""Several workers: started together, given one origin, stopped together. Imports no locust: this process only waits.

A worker is a child that says WORKER_READY, reads the origin from stdin and says READY. It drains on SIGTERM and leaves its record in the
run folder. It is this program itself, or what ``each`` names, say one that lets the worker run on another machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import orjson

from history.clock import now_ns
from history.errors import ConfigError

TICK_S = 0.1
HERE = (sys.executable, "-m", "workloads.load", "run")
LEAD_NS, FAR_LEAD_NS = 200_000_000, 1_000_000_000  # from the last worker's readiness to the origin of the schedule: here, elsewhere


class Workers:
    """The worker processes of one load; ``each`` is the command that starts one."""

    def __init__(self, run_dir: Path, workers: int, each: Sequence[str] | None = None) -> None:
        command = [*(each or HERE), str(run_dir), "--parent", str(os.getpid())]
        self._lead_ns = FAR_LEAD_NS if each else LEAD_NS
        self._stopping = False
        self.processes = [
            subprocess.Popen(
                [*command, "--worker", str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            for number in range(workers)
        ]
        # A session of their own: a terminal's Ctrl-C goes to this process alone, or workers would hear it twice, and twice means at once.
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._forward)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for process in self.processes:
            process.send_signal(number)

    def start(self) -> None:
        """Wait until every worker is ready, give all of them one origin, and announce it.

        Raises:
            ConfigError: a worker ended before it was ready (it has said why on stderr); the others are stopped.

        """
        ready = [_line(process) for process in self.processes]
        if not all(ready):
            self._forward(signal.SIGTERM, None)
            lost = [number for number, line in enumerate(ready) if not line]
            raise ConfigError(f"load workers {lost} ended before they were ready; see their messages above")
        origin = now_ns() + self._lead_ns
        for process in self.processes:
            _say(process, origin)
        started = [json.loads(_line(process) or "{}") for process in self.processes]
        scheduled = sum(row.get("scheduled", 0) for row in started)
        announcement = {
            "event": "READY",
            "origin_ns": origin,
            "scheduled": scheduled,
            "workers": len(self.processes),
            "pids": [p.pid for p in self.processes],
        }
        print(orjson.dumps(announcement).decode(), flush=True)

    def wait(self, parent_pid: int) -> int:
        """Wait for all workers; return 0 if all ended well, else 1.

        They are told to stop if ``parent_pid`` is no longer the parent, or if one of them failed: the rest is not the planned load.
        """
        while None in (codes := [process.poll() for process in self.processes]):
            if not self._stopping and (os.getppid() != parent_pid or any(codes)):
                self._forward(signal.SIGTERM, None)
            time.sleep(TICK_S)
        return int(any(codes))


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout else ""


def _say(process: subprocess.Popen[str], origin_ns: int) -> None:
    if process.stdin:
        process.stdin.write(f"{origin_ns}\n")
        process.stdin.flush()
