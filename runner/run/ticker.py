"""Says once a second what is seen, whatever the run is busy with."""

from __future__ import annotations

import threading

from runner.messages import Kind
from runner.run.context import Context

PERIOD_S = 1.0


class Ticker(threading.Thread):
    """The thread; it ends with :meth:`halt`."""

    def __init__(self, context: Context) -> None:
        super().__init__(name="ticker", daemon=True)
        self._context, self._halt = context, threading.Event()

    def run(self) -> None:
        """Tell until halted."""
        while not self._halt.wait(PERIOD_S):
            context = self._context
            for progress in list(context.progress.values()):
                progress.update()
            context.send(Kind.SEEN, seconds=round(context.elapsed_s, 1), text=context.text(), **context.countdown())

    def halt(self) -> None:
        """Tell no more; returns when the thread is done with the run's files."""
        self._halt.set()
        self.join(timeout=5)
