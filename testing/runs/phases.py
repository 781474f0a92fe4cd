"""What tests of the phases share: users as the test wants them, and what the history says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from history.reader import read_table
from history.schema import EventKind
from runner.drivers.driver import WorkloadFailed
from runner.run.context import Context


class Users:
    """What users feel, as the test wants it."""

    def __init__(self, lacks: str = "", recovers_after: int = 0, broken: str = "") -> None:
        self.missing, self.left, self.broken = lacks, recovers_after, broken
        self.ended = 0
        self.asked: list[tuple[int, int]] = []

    def update(self) -> None:
        pass

    def lacks(self, _since_ns: int) -> str:
        return self.missing

    def recovered(self, fault_ns: int, not_before_ns: int, _hold_s: float) -> bool:
        self.asked.append((fault_ns, not_before_ns))
        self.left -= 1
        return self.left < 0

    def failure(self) -> str:
        return self.broken

    def drain(self) -> tuple[Path, ...]:
        self.ended += 1
        if self.broken:
            raise WorkloadFailed(self.broken)
        return ()

    def text(self, _window_s: float) -> str:
        return "0% bad"


def with_load(context: Context, **users: Any) -> Users:
    made = Users(**users)
    felt: Any = made
    context.progress = {context.run.plan.first.name: felt}
    return made


def events(context: Context, kind: EventKind) -> list[tuple[str, dict[str, Any]]]:
    return [(name, detail) for one, name, detail in seen(context.run.run_dir) if one == kind.value]


def seen(run_dir: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Return kind, object and detail of each event in the history, but for the clock's."""
    rows = read_table(run_dir, "events").select("kind", "object", "detail").iter_rows()
    return [(kind, name, json.loads(detail)) for kind, name, detail in rows if kind != EventKind.CLOCK.value]
