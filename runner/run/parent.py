"""The half that runs in pytest's process: starts the child, shows what it says, and hands signals on to it.

The parent owns SIGINT and SIGTERM: the child gets one SIGTERM, heals and judges, and the parent waits for it. A second signal changes
nothing about that; it is answered by what is going on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from runner.messages import Kind, Message, read_message
from runner.request import Request
from runner.session_record import SessionRecord

PROJECT = Path(__file__).parents[2]
CHILD = (sys.executable, "-m", "runner.run.child")
UTF8 = {"PYTHONUTF8": "1"}
HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child, which runs in the project's folder: whatever counted from here, counts from there.

    Its modules lie in that folder, which PYTHONSAFEPATH would hide; the relative paths of KUBECONFIG are a person's who stands elsewhere.
    What it writes is UTF-8 whatever the locale.
    """
    made = {name: value for name, value in environment.items() if name != "PYTHONSAFEPATH"} | UTF8
    if files := made.get("KUBECONFIG"):
        made["KUBECONFIG"] = os.pathsep.join(str(Path(one).absolute()) for one in files.split(os.pathsep) if one)
    return made


class Child:
    """One run in its own process and session."""

    def __init__(self, request: Request, show: Callable[[str], None]) -> None:
        self.request = request
        self.signals: list[str] = []
        self._show = show
        self._phase = "preflight"
        self._process: subprocess.Popen[str] | None = None
        self._before: dict[int, signal._HANDLER] = {}

    @property
    def interrupted(self) -> bool:
        """Whether a signal was handed on to it."""
        return bool(self.signals)

    def start(self, record: SessionRecord | None = None) -> None:
        """Start the process; its errors go to ``child.log`` in the run's folder. From now to :meth:`end` it gets our signals.

        It keeps the lock of the session's ``record``: should it outlive the session, that is not dead before it.

        Raises OSError: there is no place for the run's folder, or for another process.
        """
        self.request.run_dir.mkdir(parents=True)
        heard = [number for number in HANDED_ON if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's word counts
        self._before = {number: signal.signal(number, self._hand_on) for number in heard}
        with (self.request.run_dir / "child.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*CHILD, self.request.model_dump_json()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                start_new_session=True,
                pass_fds=() if record is None else (record.fd,),
                cwd=PROJECT,
                env=child_environment(os.environ),
            )

    def messages(self) -> Iterator[Message]:
        """Yield what the child says until it closes its end."""
        if self._process is None or self._process.stdout is None:
            return
        for line in self._process.stdout:
            message = read_message(line)
            if message is None:
                continue
            if message.kind is Kind.PHASE:
                self._phase = message.text("name")
            yield message

    def end(self) -> int:
        """Wait for the process and return its exit code (0: not started)."""
        code = self._process.wait() if self._process is not None else 0
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
        return code

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        self.signals.append(name)
        if len(self.signals) > 1:
            self._show(f"{name} again: the run is still in phase {self._phase}; it heals before it ends, please wait")
            return
        self._show(f"{name}: the fault is being healed and the run is kept as incomplete; this ends by itself")
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
