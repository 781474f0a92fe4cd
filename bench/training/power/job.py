"""A training job as real processes, kept alive as a controller would: when a rank ends badly the others are ended, and all start again.

Ranks are forked from a process that has torch loaded (testing/training/gang.py). A restart takes a second instead of the ten that torch's
import takes, and is otherwise the same. Where torchrun's own behaviour matters, the launcher starts them (:class:`Launched`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from testing.training.gang import NOTICE_S, Gang

ROOT = Path(__file__).resolve().parents[3]
POLL_S = 0.02
RANKS = 2
RESTARTS = 9
FINAL = (0, 2, 4)  # done; refused; another owner took over: no restart would change it
Settings = dict[str, object]
BASE: Settings = {
    "steps": 80,
    "interval": 10,
    "keep": 2,
    "batch": 12,
    "width": 16,
    "data": "synthetic:512",
    "digest_every": 5,
    "collective_timeout_s": 5,
    "store_wait_s": 5,
    "save_timeout_s": 10,
    "step_pause_s": 0.03,
    "track_every": 5,
}


class Job(Protocol):
    """A job that is kept alive."""

    gang: Gang
    ended: bool

    def start(self) -> None:
        """Start the ranks."""

    def tend(self) -> None:
        """Do what a job controller does now; must be called again and again."""

    def close(self) -> None:
        """Leave no process behind."""


class Forked:
    """Ranks forked from a prepared process."""

    def __init__(self, folder: Path, settings: Settings, stores: str = "") -> None:
        self.gang = Gang(folder, RANKS, {**BASE, **settings}, stores)
        self.ended = False
        self.held = False  # a scenario holds the controller back: a power cut takes it too
        self._ranks: Sequence[BaseProcess] = ()
        self._bad_since: float | None = None

    @property
    def ranks(self) -> Sequence[BaseProcess]:
        """The processes of the newest attempt, by rank."""
        return self._ranks

    def start(self) -> None:
        """Start an attempt."""
        self._ranks, self._bad_since, self.ended = self.gang.launch(), None, False

    def tend(self) -> None:
        """Notice ranks that ended; end the others after the notice that torchrun gives, and start again while that helps."""
        codes = [rank.exitcode for rank in self._ranks]
        if self.ended or self.held or all(code is None for code in codes) or not any(code != 0 for code in codes if code is not None):
            self.ended = self.ended or (not self.held and all(code == 0 for code in codes))
            return
        self._bad_since = self._bad_since or time.monotonic()
        if None in codes and time.monotonic() - self._bad_since < NOTICE_S:
            return
        self.end_ranks()
        if any(code in FINAL for code in codes) or self.gang.restart > RESTARTS:
            self.ended = True
            return
        self.start()

    def end_ranks(self) -> None:
        """Kill what is left of the attempt and wait until it is gone."""
        for rank in self._ranks:
            rank.kill()
            rank.join()

    def close(self) -> None:
        """Kill every rank that was ever started."""
        self.gang.end()


class Launched:
    """Ranks started by ``python -m workloads.training.launch``, hence by torchrun."""

    def __init__(self, folder: Path, settings: Settings, stores: str = "") -> None:
        self.gang = Gang(folder, RANKS, {**BASE, "ranks_per_pod": RANKS, "collective_timeout_s": 20, **settings}, stores)
        self.ended = False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the launcher in a session of its own, so that all of it can be ended."""
        argv = [sys.executable, "-m", "workloads.training.launch"]
        with self.gang.log.open("ab") as log:
            environment = os.environ | self.gang.environment()
            self._process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)

    def tend(self) -> None:
        """Notice the launcher's end."""
        self.ended = self._process is not None and self._process.poll() is not None

    def close(self) -> None:
        """Kill the launcher, torchrun and the ranks."""
        if self._process is not None:
            for pid in {*_session(self._process.pid), self._process.pid}:
                _kill(pid)
            self._process.wait(10)


def _session(leader: int) -> list[int]:
    """Return the processes of a session; torchrun puts its ranks into sessions of their own, which are found by their parents."""
    members, parents = [], {leader}
    pids = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) in parents or int(fields[3]) == leader:
            parents.add(pid)
            members.append(pid)
    return members


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait(job: Job, condition: Callable[[], bool], limit_s: float) -> bool:
    """Tend the job until ``condition`` holds; return False if it did not within ``limit_s`` or the job ended before."""
    deadline = time.monotonic() + limit_s
    while not condition():
        job.tend()
        if job.ended or time.monotonic() > deadline:
            return condition()
        time.sleep(POLL_S)
    return True


def rows(job: Job, kind: str) -> list[dict[str, Any]]:
    """Return the rows of a kind that the job's ledger holds by now."""
    return job.gang.rows(kind)


def step(job: Job) -> int:
    """Return the highest step that any rank has done."""
    return max((int(row["step"]) for row in rows(job, "step")), default=0)


def pid_of(job: Job, rank: int) -> int:
    """Return the process that did the newest row of a rank."""
    return next(int(row["pid"]) for row in reversed(rows(job, "step")) if row["rank"] == rank)


def state_of(pid: int) -> str:
    """Return the kernel's word for a process's state (proc_pid_stat(5)); empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
