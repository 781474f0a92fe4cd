"""Several workers on one machine: started together, given one origin, stopped together. Imports no locust: this process only waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import orjson

from history.clock import now_ns
from history.errors import ConfigError

TICK_S = 0.1
LEAD_NS = 200_000_000  # from the last worker's readiness to the origin of the schedule


class Crew:
    """The worker processes of one load."""

    def __init__(self, run_dir: Path, workers: int) -> None:
        command = [sys.executable, "-m", "workloads.load", "run", str(run_dir), "--parent", str(os.getpid())]
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
        origin = now_ns() + LEAD_NS
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
        """Wait for all workers, telling them to stop if ``parent_pid`` is no longer the parent; return 0 if all ended well, else 1."""
        orphaned = False
        while any(process.poll() is None for process in self.processes):
            if os.getppid() != parent_pid and not orphaned:
                orphaned = True
                self._forward(signal.SIGTERM, None)
            time.sleep(TICK_S)
        return int(any(process.returncode for process in self.processes))


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout else ""


def _say(process: subprocess.Popen[str], origin_ns: int) -> None:
    if process.stdin:
        process.stdin.write(f"{origin_ns}\n")
        process.stdin.flush()
