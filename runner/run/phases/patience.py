"""How long healing may take. Time in which the API server does not answer is given back."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """``seconds`` from now, and at most as much again for what the API server was away. ``answers``: asks it."""

    def __init__(self, seconds: float, answers: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._answers, self._clock = answers, clock
        self._asked_s = clock()
        self._until_s, self._spare_s = self._asked_s + seconds, seconds

    def over(self) -> bool:
        """Ask the API server, and tell whether time is up; to be called after each try that failed."""
        now_s = self._clock()
        if not self._answers():
            away_s = min(self._spare_s, now_s - self._asked_s)
            self._spare_s -= away_s
            self._until_s += away_s
        self._asked_s = now_s
        return now_s >= self._until_s
