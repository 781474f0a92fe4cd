"""``python -m workloads.load.pod RUN_DIR``: a worker in a pod, which the suite reaches by stdin and stdout alone, a JSON object a line.

In: ``clock`` asks for the time here. ``file`` adds ``data`` (base64) to a file of the run folder. ``worker`` starts that worker with an
``environment``: the same process as elsewhere. ``origin`` goes to its stdin. ``stop`` asks it to drain, and so does the end of stdin:
then the suite is gone.

Out: ``clock_ns``. Ten times a second ``record``: what was added to each file (base64), so that silence means something. At last ``end``,
the exit code, with ``sent``, the bytes of each file, and ``told``: false if a signal to the pod ended it. The worker writes to the pod's
disk first, so a slow way to the suite holds nobody up.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from base64 import b64decode, b64encode
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

from history.clock import now_ns
from workloads.load.workers import HERE

TICK_S = 0.1
STDIN, STDOUT = 0, 1
READ_BYTES = 65_536
LARGEST_BYTES = 1 << 20  # of one file in one message


class PodProgram:
    """One worker and the way to the suite; ``run_dir`` is empty at first."""

    def __init__(self, run_dir: Path) -> None:
        self._dir, self._line = run_dir, b""
        self._worker: subprocess.Popen[bytes] | None = None
        self._heard, self._told = True, True
        self._sent = Counter[str]()

    def serve(self) -> int:
        """Do as told until the worker has ended and return its exit code; 1 if the suite is gone before there is one."""
        while self._heard or self._worker is not None:
            if select.select([STDIN] if self._heard else [], [], [], TICK_S)[0]:
                self._hear(os.read(STDIN, READ_BYTES))
            if self._worker is not None:
                code = self._worker.poll()  # before what it wrote is read: it has written all of it then
                while self._send() and code is not None:
                    pass
                if code is not None:
                    write(end=code, sent=self._sent, told=self._told)
                    return code
        return 1

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Ask the worker to drain because the pod shall end, which the suite did not ask for."""
        self._told = False
        self._stop()

    def _stop(self) -> None:
        """Ask the worker to drain; without one there is nothing left to do."""
        if self._worker is not None:
            self._worker.terminate()
        self._heard = self._heard and self._worker is not None

    def _hear(self, data: bytes) -> None:
        if not data:
            self._heard = False
            self._stop()
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._obey(orjson.loads(line))

    def _obey(self, order: dict[str, Any]) -> None:
        if "clock" in order:
            write(clock_ns=now_ns())
        elif "file" in order:
            with (self._dir / Path(order["file"]).name).open("ab") as file:
                file.write(b64decode(order["data"]))
        elif "worker" in order:
            self._start(int(order["worker"]), order["environment"])
        elif "origin" in order and self._worker is not None and self._worker.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended, and its exit code says so
                self._worker.stdin.write(f"{order['origin']}\n".encode())
        elif "stop" in order:
            self._stop()

    def _start(self, worker: int, environment: dict[str, str]) -> None:
        command = [*HERE, str(self._dir), "--worker", str(worker), "--parent", str(os.getpid())]
        with (self._dir / f"said.load-{worker}.jsonl").open("wb") as said:
            self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, bufsize=0, env=os.environ | environment)

    def _send(self) -> bool:
        """Send what the worker has added to its files, at most 1 MiB of each; tell whether there was any."""
        record = {}
        for path in self._dir.glob("*.load-*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._sent[path.name])
                if data := file.read(LARGEST_BYTES):
                    record[path.name] = b64encode(data).decode()
                    self._sent[path.name] += len(data)
        write(record=record)
        return bool(record)


def write(**message: object) -> None:
    """Write one message to stdout, all of it."""
    data = orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
    while data:
        data = data[os.write(STDOUT, data) :]


def serve(run_dir: Path) -> int:
    """Serve one worker, whose run folder is made here; return its exit code, 1 if there never was one."""
    run_dir.mkdir(parents=True, exist_ok=True)
    program = PodProgram(run_dir)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, program.end)
    return program.serve()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
