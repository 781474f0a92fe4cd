"""Append-only writers: one JSON line a row, each write whole, so that a kill loses at most what was still buffered."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import orjson

from history.clock import ANCHOR, now_ns
from history.schema import DEFAULT_REGION, AlertState, EventKind, Notice


class RowWriter:
    """Appends rows to ``<table>.<writer>.jsonl`` of a run folder; several writers (processes) can write one table.

    Rows are handed to the kernel in whole lines: after :meth:`flush` they survive SIGKILL of this process.
    ``buffer_rows`` > 1 trades that for speed; the load flushes four times a second.
    """

    def __init__(self, run_dir: Path, table: str, writer: str, buffer_rows: int = 1) -> None:
        self.path = run_dir / f"{table}.{writer}.jsonl"
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._rows: list[bytes] = []
        self._buffer_rows = buffer_rows

    def write(self, row: Mapping[str, object]) -> None:
        """Append one row; it reaches the kernel at the latest when ``buffer_rows`` are waiting."""
        self._rows.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        if len(self._rows) >= self._buffer_rows:
            self.flush()

    def flush(self) -> None:
        """Hand all waiting rows to the kernel."""
        waiting, self._rows = b"".join(self._rows), []
        while waiting:
            waiting = waiting[os.write(self._fd, waiting) :]

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._fd)


class AlertSaid(NamedTuple):
    """What was heard of one alert of a rule, or of a rule that has none.

    ``active_ns``: since when its expression has been true (ns, by Prometheus' clock). ``alerts``: how many alerts the rule had in that
    answer, each with a row of its own; ``None``: this one speaks for all of them.
    """

    state: AlertState
    active_ns: int | None = None
    labels: Mapping[str, str] = MappingProxyType({})
    alerts: int | None = None


class EventLog:
    """Writes ``events``, ``samples``, ``alerts``, ``notifications`` of a process, its clock's anchor first; every row says ``region``."""

    def __init__(self, run_dir: Path, process: str, region: str = DEFAULT_REGION) -> None:
        self.region = region
        self._events = RowWriter(run_dir, "events", process)
        self._samples = RowWriter(run_dir, "samples", process)
        self._run_dir, self._process = run_dir, process
        self._alerts: RowWriter | None = None  # made by the first row: most processes write none
        self._notifications: RowWriter | None = None
        self.event(EventKind.CLOCK, process, wall_ns=ANCHOR.wall_ns, monotonic_ns=ANCHOR.monotonic_ns)

    def event(self, kind: EventKind, obj: str = "", /, t_ns: int | None = None, **detail: object) -> int:
        """Record an event now (or at ``t_ns``) and return its time (ns)."""
        t_ns = now_ns() if t_ns is None else t_ns
        text = orjson.dumps(detail, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        self._events.write({"t_ns": t_ns, "kind": kind.value, "object": obj, "detail": text, "region": self.region})
        return t_ns

    def sample(self, series: str, value: float, /, t_ns: int | None = None, **labels: str) -> None:
        """Record one value of a series now (or at ``t_ns``)."""
        t_ns = now_ns() if t_ns is None else t_ns
        text = orjson.dumps(labels, option=orjson.OPT_SORT_KEYS).decode()
        self._samples.write({"t_ns": t_ns, "series": str(series), "labels": text, "value": value, "region": self.region})

    def alert(self, rule: tuple[str, str], said: AlertSaid, t_ns: int) -> None:
        """Record what was heard of a rule (its group, its name) at ``t_ns``."""
        self._alerts = self._alerts or RowWriter(self._run_dir, "alerts", self._process)
        group, name = rule
        text = orjson.dumps(dict(said.labels), option=orjson.OPT_SORT_KEYS).decode()
        row = {"t_ns": t_ns, "group": group, "rule": name, "state": said.state.value, "active_ns": said.active_ns, "labels": text}
        self._alerts.write(row | {"region": self.region, "alerts": said.alerts})

    def notification(
        self,
        kind: Notice,
        rule: str = "",
        /,
        t_ns: int | None = None,
        starts_ns: int | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """Record what was heard now (or at ``t_ns``): of an alert that fires since ``starts_ns``, or about the receiver."""
        self._notifications = self._notifications or RowWriter(self._run_dir, "notifications", self._process)
        text = orjson.dumps(dict(detail or {}), option=orjson.OPT_SORT_KEYS).decode()
        row = {"t_ns": now_ns() if t_ns is None else t_ns, "kind": kind.value, "rule": rule, "starts_ns": starts_ns, "detail": text}
        self._notifications.write(row | {"region": self.region})

    def close(self) -> None:
        """Close the files."""
        for rows in (self._events, self._samples, self._alerts, self._notifications):
            if rows is not None:
                rows.close()
