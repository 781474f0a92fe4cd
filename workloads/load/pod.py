"""``python -m workloads.load.pod RUN_DIR``: a worker in a pod; stdin and stdout are its only way to the suite (:mod:`history.wire`).

In: ``clock`` is answered with the time here; then come the files of a run folder; ``begin`` starts the worker, the same process as
elsewhere; ``origin`` goes to its stdin; ``stop`` asks it to drain. When stdin ends the suite is gone, and the worker drains too.
Out: what the worker says, the record as it grows and, once the worker has ended, ``end`` with its exit code, how many bytes of each file
there were (without that the record is not whole) and whether it ended as ``told``, not by a signal to the pod. The record is written to
the pod's disk first, so a slow way to the suite holds nobody up.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

from history.clock import now_ns
from history.wire import PIECE_BYTES, Message, Messages, line, pieces

TICK_S, BEAT_S = 0.1, 1.0
STDIN, STDOUT = 0, 1
COMMAND = (sys.executable, "-m", "workloads.load", "run")


class Record:
    """The files of the record that grow in a run folder, and how much of each was sent."""

    def __init__(self, run_dir: Path) -> None:
        self._dir, self.sent = run_dir, dict[str, int]()

    def send(self) -> None:
        """Send what was written since the last call."""
        for file in sorted(self._dir.glob("*.load-*.jsonl")):
            with file.open("rb") as stream:
                stream.seek(self.sent.get(file.name, 0))
                while data := stream.read(PIECE_BYTES):
                    self.sent[file.name] = self.sent.get(file.name, 0) + len(data)
                    for part in pieces(file.name, data):
                        write(part)


class Inside:
    """The program of the pod; ``run_dir`` is empty at first."""

    def __init__(self, run_dir: Path) -> None:
        self._dir, self._record = run_dir, Record(run_dir)
        self._orders, self._heard = Messages(), True
        self._worker: subprocess.Popen[bytes] | None = None
        self._beat_s, self._told = 0.0, True

    def serve(self) -> int:
        """Do as told until the worker has ended, or until the suite is gone before there is one; return the exit code."""
        while self._heard or self._worker is not None:
            said = self._worker.stdout if self._worker else None
            sources: list[int | IO[bytes]] = [*([STDIN] if self._heard else []), *([said] if said else [])]
            ready, _, _ = select.select(sources, [], [], TICK_S)
            if STDIN in ready:
                self._hear(os.read(STDIN, PIECE_BYTES))
            if said is not None and said in ready:
                text = said.readline()
                if not text:
                    return self._end()
                write(line(said=text.decode().strip()))
            self._record.send()
            self._beat()
        return 1

    def end(self, _number: int, _frame: FrameType | None) -> None:
        """Ask the worker to drain because the pod shall end, which the suite did not ask for."""
        self._told = False
        self.stop()

    def stop(self) -> None:
        """Ask the worker to drain; without one there is nothing left to do."""
        if self._worker is not None:
            self._worker.terminate()
        self._heard = self._heard and self._worker is not None

    def _hear(self, data: bytes) -> None:
        if not data:
            self._heard = False
            self.stop()
        for message, body in self._orders.feed(data):
            self._obey(message, body)

    def _obey(self, message: Message, body: bytes) -> None:
        if "clock" in message:
            write(line(clock_ns=now_ns()))
        elif "file" in message:
            with (self._dir / Path(message["file"]).name).open("ab") as file:
                file.write(body)
        elif "begin" in message:
            self._begin(int(message["begin"]), message["environment"])
        elif "origin" in message and self._worker is not None and self._worker.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended: the end of its stdout says so
                self._worker.stdin.write(f"{message['origin']}\n".encode())
        elif "stop" in message:
            self.stop()

    def _begin(self, worker: int, environment: dict[str, str]) -> None:
        options = [str(self._dir), "--worker", str(worker), "--parent", str(os.getpid())]
        self._worker = subprocess.Popen(
            [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=os.environ | environment
        )

    def _beat(self) -> None:
        """Say something now and then, so that silence means something, too."""
        if self._worker is not None and time.monotonic() - self._beat_s > BEAT_S:
            self._beat_s = time.monotonic()
            write(line(alive=True))

    def _end(self) -> int:
        """Wait for the end of the worker, which has closed its stdout; send the rest of the record, and the mark."""
        code = self._worker.wait() if self._worker else 1
        self._record.send()
        write(line(end=code, sent=self._record.sent, told=self._told))
        return code


def write(data: bytes) -> None:
    """Write all of ``data`` to stdout."""
    while data:
        data = data[os.write(STDOUT, data) :]


def serve(run_dir: Path) -> int:
    """Serve one worker, whose run folder is made here; return its exit code, 1 if there never was one."""
    run_dir.mkdir(parents=True, exist_ok=True)
    inside = Inside(run_dir)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, inside.end)
    return inside.serve()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1])))
