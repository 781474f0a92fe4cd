"""Places where something can be made to go wrong, so that a failure at a certain moment can be repeated.

    TRAIN_FAILPOINTS="save.before_manifest@rank=0@step=12@restart=0=kill; step@rank=1@step=30=stop"

Each entry is ``point[@rank=R][@step=S][@restart=N]=action``; without a condition it fires every time. ``restart`` is torchrun's count
of restarts: with ``@restart=0`` the replay of the same step is left alone. While a run goes on, a file in TRAIN_FAILPOINT_FOLDER named like
the point (a suffix after ``+`` is allowed) does the same: its content is ``[@…]=action``; the rank it fits removes the file and acts, once.

Actions: ``kill`` (SIGKILL), ``stop`` (SIGSTOP), ``segfault`` (SIGSEGV), ``sleep:SECONDS``, ``eat:MEBIBYTES`` (take so much memory for a
moment: with less to be had, the kernel kills the rank); and, only at the point ``step``:
``flip`` (one bit of this rank's weights), ``nan`` (this rank's batch holds a NaN).
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from workloads.training.errors import SettingsRefused

POINTS = {
    "step": "before the forward pass of a step",
    "save.before_shard": "the snapshot is taken, this rank's shard is not yet written",
    "save.after_shard": "this rank's shard is durable, others' may not be",
    "save.before_manifest": "all shards are durable, the manifest is not yet written",
    "save.before_rename": "the manifest is written under its temporary name (volumes only)",
    "save.after_manifest": "the checkpoint is committed, the pointer still names the one before",
    "gc.before": "a superseded checkpoint is about to be deleted",
    "gc.during": "its manifest is deleted, its shards are not",
}
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "segfault": signal.SIGSEGV}
_OF_STEP = ("flip", "nan")


@dataclass(frozen=True, slots=True)
class _Entry:
    point: str
    conditions: tuple[tuple[str, int], ...]
    action: str


class Failpoints:
    """The failpoints of one rank."""

    def __init__(self, text: str = "", folder: str = "", rank: int = 0, restart: int = 0) -> None:
        self._entries = [_parse(part) for part in text.split(";") if part.strip()]
        self._folder = Path(folder) if folder else None
        self._here = {"rank": rank, "restart": restart}

    def hit(self, point: str, step: int) -> str | None:
        """Do what is set for this point, if anything; return ``flip`` or ``nan`` for the caller to do."""
        here = {**self._here, "step": step}
        for entry in [*self._entries, *self._dropped(point, here)]:
            if entry.point == point and all(here[name] == value for name, value in entry.conditions):
                if entry.action in _OF_STEP:
                    return entry.action
                _act(entry.action)
        return None

    def _dropped(self, point: str, here: dict[str, int]) -> list[_Entry]:
        if self._folder is None or not self._folder.is_dir():
            return []
        taken = []
        for path in sorted(self._folder.iterdir()):
            if path.name.partition("+")[0] == point:
                entry = _parse(point + path.read_text().strip())
                if all(here[name] == value for name, value in entry.conditions):
                    path.unlink(missing_ok=True)
                    taken.append(entry)
        return taken


def _parse(text: str) -> _Entry:
    place, _, action = text.strip().rpartition("=")
    point, *conditions = place.split("@")
    try:
        pairs = tuple((name, int(value)) for name, value in (c.split("=") for c in conditions))
        known = point in POINTS and all(name in ("rank", "step", "restart") for name, _ in pairs) and _known(point, action)
    except ValueError:
        known = False
    if not known:
        raise SettingsRefused(
            f"failpoint {text.strip()!r}: expected point[@rank=R][@step=S][@restart=N]=action with a point of {', '.join(POINTS)}"
        )
    return _Entry(point, pairs, action)


def _known(point: str, action: str) -> bool:
    if action.startswith("sleep:"):
        return float(action.removeprefix("sleep:")) >= 0
    if action.startswith("eat:"):
        return int(action.removeprefix("eat:")) > 0
    return action in _SIGNALS or (point == "step" and action in _OF_STEP)


def _act(action: str) -> None:
    if action in _SIGNALS:
        os.kill(os.getpid(), _SIGNALS[action])
    elif action.startswith("eat:"):
        _eat(int(action.removeprefix("eat:")))
    else:
        time.sleep(float(action.removeprefix("sleep:")))


def _eat(mebibytes: int) -> None:
    """Take memory, a mebibyte after the other, every page of it written to; what is survived is given back."""
    held = [b"\1" * (1 << 20) for _ in range(mebibytes)]  # not zeros: those the kernel would not have to provide
    held.clear()
