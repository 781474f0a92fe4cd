"""How a run goes on, as its driver shows it: the requests of users, or the steps of a training job."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Progress(Protocol):
    """The record of what drives a run, followed while it is written. For progress and for deciding when to stop; never for the verdict."""

    def update(self) -> None:
        """Read what was written since the last call; several threads may call it."""

    def failure(self) -> str:
        """Return why it does not go on although nobody ended it; empty while it does."""

    def lacks(self, since_ns: int) -> str:
        """Return what a baseline that began at ``since_ns`` still lacks to be long enough, as a sentence; empty: nothing."""

    def recovered(self, fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether all is well again after the fault and has been for ``hold_s`` after ``not_before_ns``, all of it known."""

    def text(self, window_s: float) -> str:
        """Return what was seen in the last ``window_s`` seconds, for a person."""

    def drain(self) -> tuple[Path, ...]:
        """End it: nothing new begins, what was begun gets its end. Returns the files that it wrote, closed. Idempotent.

        Raises:
            WorkloadFailed: it had ended before, or did not end in time; what it wrote stays.

        """
