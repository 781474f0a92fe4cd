"""The run's own event log: written by several threads, and the one that knows when the fault began."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from history.clock import now_ns
from history.schema import DEFAULT_REGION, EventKind, Notice
from history.writer import AlertSaid, EventLog
from runner.redact import redact_object
from target.secrets.hiding import redact_text


class RunLog(EventLog):
    """An event log for threads. ``t_fault_ns`` is the time of the first ``fault.start`` (None: there was none).

    A disk that is full must not keep a run from healing: nothing is raised, and ``lost`` says why the record is not whole.
    """

    def __init__(self, run_dir: Path, region: str = DEFAULT_REGION) -> None:
        self._lock = threading.RLock()
        self._closed = False
        self.t_fault_ns: int | None = None
        self.lost = ""
        super().__init__(run_dir, "runner", region)

    def event(self, kind: EventKind, obj: str = "", /, t_ns: int | None = None, **detail: object) -> int:
        """Record an event now (or at ``t_ns``) and return its time (ns)."""
        t_ns = now_ns() if t_ns is None else t_ns
        self._keep(partial(super().event, kind, redact_text(obj), t_ns, **redact_object(detail)))
        if kind is EventKind.FAULT_START and self.t_fault_ns is None:
            self.t_fault_ns = t_ns
        return t_ns

    def sample(self, series: str, value: float, /, t_ns: int | None = None, **labels: str) -> None:
        """Record one value of a series now (or at ``t_ns``)."""
        self._keep(partial(super().sample, series, value, t_ns, **labels))

    def alert(self, rule: tuple[str, str], said: AlertSaid, t_ns: int) -> None:
        """Record what was heard of a rule (its group, its name) at ``t_ns``; the labels are somebody else's text, hence redacted."""
        self._keep(partial(super().alert, rule, said._replace(labels=redact_object(dict(said.labels))), t_ns))

    def notification(
        self,
        kind: Notice,
        rule: str = "",
        /,
        t_ns: int | None = None,
        starts_ns: int | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """Record what was heard of Alertmanager now (or at ``t_ns``); what it says is somebody else's text, hence redacted."""
        t_ns = now_ns() if t_ns is None else t_ns
        self._keep(partial(super().notification, kind, rule, t_ns, starts_ns, redact_object(dict(detail or {}))))

    def _keep(self, write: Callable[[], object]) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                write()
            except OSError as error:
                self.lost = self.lost or str(error)

    def close(self) -> None:
        """Close both files; what a thread still says afterwards is left out."""
        with self._lock:
            self._closed = True
            super().close()
