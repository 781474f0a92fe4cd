"""Programs that end with the bench, however it ends: by a block, by a signal, or by SIGKILL."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
ENDS_S = 15.0
TAIL = 1500  # bytes of a log that an error shows
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started; what it says is in ``log``."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise SystemExit with its last words if it has ended."""
        if self.process.poll() is not None:
            words = self.log.read_bytes()[-TAIL:].decode(errors="replace")
            raise SystemExit(f"{self.log.stem} ended with exit code {self.process.returncode}: {words}")

    @property
    def peak_bytes(self) -> int:
        """How much memory it has held at most, so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@contextmanager
def running(name: str, argv: Sequence[str], folder: Path) -> Iterator[Running]:
    """Run a program until the block ends; its working folder and home are ``folder``, its log is there too."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads yet
        )
    try:
        yield Running(process, log)
    finally:
        process.terminate()
        try:
            process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
