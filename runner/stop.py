"""Stopping a run early: signals and stop conditions interrupt whatever the run is doing, except while it heals.

:class:`Interrupted` derives from BaseException. Chaoslib 1.44 turns every Exception that passes through an activity into "activity failed"
and goes on with the next fault.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(BaseException):
    """The run was asked to stop. ``by`` names who or what (SIGINT, lease, stop condition), ``reason`` is a sentence."""

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(reason)
        self.by = by
        self.reason = reason


SIGNALS = {
    signal.SIGINT: "interrupted from the keyboard (SIGINT)",
    signal.SIGTERM: "asked to end (SIGTERM)",
    signal.SIGHUP: "its terminal was closed (SIGHUP)",
}

FOR_GOOD = 1 << 30
Condition = Callable[[], tuple[str, str] | None]
"""Asked every second of a run: who asks to stop and a sentence, or None."""


class Stop:
    """Whether this run was asked to stop, and by whom. The first request counts; later ones are reported through ``on_repeat``."""

    def __init__(self, on_repeat: Callable[[str], None] = lambda _reason: None) -> None:
        self._event = threading.Event()
        self._never = threading.Event()
        self._lock = threading.RLock()  # a signal handler may run while the main thread holds it
        self._on_repeat = on_repeat
        self._shields = 0
        self.request: Interrupted | None = None

    def install(self) -> None:
        """Take over SIGINT, SIGTERM, SIGHUP, and SIGUSR1 (by which threads wake the main one). Main thread only."""
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGUSR1, self._on_wake)

    def ask(self, by: str, reason: str) -> None:
        """Ask the run to stop, from any thread."""
        if self._note(by, reason):
            os.kill(os.getpid(), signal.SIGUSR1)

    def check(self) -> None:
        """Raise :class:`Interrupted` if a stop was asked for and nothing shields the caller."""
        if self.request is not None and not self._shields:
            raise self.request

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than until a stop is asked for (then raise); under a shield wait in any case."""
        (self._never if self._shields else self._event).wait(seconds)
        self.check()

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let nothing interrupt the block: healing and closing go to their end."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1

    @contextmanager
    def exposed(self) -> Iterator[None]:
        """Let a stop request interrupt the block although it stands under a shield; one that came before does so at once."""
        before, self._shields = self._shields, 0
        try:
            self.check()
            yield
        finally:
            self._shields = before

    def no_more(self) -> None:
        """From now on only note requests: what follows must not be interrupted, however an exposed block ended."""
        self._shields = FOR_GOOD

    def _note(self, by: str, reason: str) -> bool:
        """Keep the first request; return whether this is it."""
        with self._lock:
            first = self.request is None
            if first:
                self.request = Interrupted(by, reason)
        self._event.set()
        if not first:
            self._on_repeat(reason)
        return first

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        known = signal.Signals(number)
        if self._note(known.name, SIGNALS[known]):
            self.check()

    def _on_wake(self, _number: int, _frame: FrameType | None) -> None:
        self.check()
