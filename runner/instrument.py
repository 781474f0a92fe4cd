"""Whether an instrument of the run answers, told to the log when that changes."""

from __future__ import annotations

from history.clock import now_ns
from history.schema import EventKind
from runner.event_log import RunLog


class Instrument:
    """Says once that ``name`` is away, and once that it is back.

    ``spared_s``: silence that loses nothing, because what was heard before is still fresh. Longer silence counts from its first question.
    """

    def __init__(self, log: RunLog, name: str, spared_s: float = 0.0) -> None:
        self._log, self._name, self._spared_ns = log, name, int(spared_s * 1e9)
        self._silent_ns, self._away = 0, False

    def heard(self, error: str = "") -> None:
        """Take note of one question: it was answered, or ``error`` says why not."""
        asked_ns = now_ns()
        if not error:
            if self._away:
                self._log.event(EventKind.INSTRUMENT_UP, self._name, t_ns=asked_ns, error="")
            self._silent_ns, self._away = 0, False
            return
        self._silent_ns = self._silent_ns or asked_ns
        if not self._away and asked_ns - self._silent_ns >= self._spared_ns:
            self._away = True
            self._log.event(EventKind.INSTRUMENT_DOWN, self._name, t_ns=self._silent_ns, error=error)
