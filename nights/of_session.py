"""Stored runs in, the night that they are out: its name says when it began and which runs it is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from history.errors import HistoryError, NightsError
from nights.of_run import record_of
from nights.record import Night, RunRecord, Unread


def night_of(run_dirs: Sequence[Path]) -> Night:
    """Return the runs as a night, named by when they began and what they are; runs that cannot be read are listed with the reason.

    Raises:
        NightsError: none of them can be read.

    """
    runs: list[RunRecord] = []
    unread: list[Unread] = []
    for folder in dict.fromkeys(run_dirs):
        try:
            runs.append(record_of(folder, ""))
        except HistoryError as error:
            unread.append(Unread(folder.name, str(error)))
    if not runs:
        why = unread[0].reason if unread else "no run was named"
        raise NightsError(f"nothing to keep: no run can be read ({why}); name the folders of stored runs, for example reports/out/runs/*")
    began_ns = min(run.started_ns for run in runs)
    name = f"{datetime.fromtimestamp(began_ns // 10**9, UTC):%Y%m%d-%H%M%S}-{named_by(runs)}"
    return Night(name, began_ns, in_order(replace(run, night=name) for run in runs), tuple(unread))


def named_by(runs: Iterable[RunRecord]) -> str:
    """Return what the name of a night ends in: which runs it is made of, by their digest."""
    return hashlib.sha256("\n".join(sorted({run.run_id for run in runs})).encode()).hexdigest()[:6]


def in_order(runs: Iterable[RunRecord]) -> tuple[RunRecord, ...]:
    """Return the runs as they began, each once: a run that lies in two folders is one run."""
    return tuple(sorted({run.run_id: run for run in runs}.values(), key=lambda run: (run.started_ns, run.run_id)))


def began_ns(name: str) -> int:
    """Return when a night began, by its name (to the second)."""
    return int(datetime.strptime(f"{name[:15]}+0000", "%Y%m%d-%H%M%S%z").timestamp()) * 10**9


def ordered(nights: Iterable[Night]) -> list[Night]:
    """Return the nights as they began."""
    return sorted(nights, key=lambda one: (one.started_ns, one.night))
