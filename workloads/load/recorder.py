"""What a worker writes: a row for every attempt, and its own account of how well it kept the schedule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from locust.exception import CatchResponseError

from history.clock import now_ns
from history.schema import DEFAULT_REGION
from history.writer import EventLog, RowWriter
from workloads.load.client import Client, Row
from workloads.load.exchange import Call, Exchange

KINDS = 20  # of errors in the log: those that differ by a number would fill it
FLUSH_ROWS = 5_000  # a safety net: housekeeping flushes ten times a second


@dataclass(slots=True)
class Account:
    """Counts of one worker, written as its ``load.audit``."""

    sent: int = 0
    recorded: int = 0
    retries: int = 0
    cap_hit: int = 0
    in_flight_max: int = 0
    send_lag_max_ms: float = 0.0
    flush_max_ms: float = 0.0
    gc_pause_max_ms: float = 0.0
    cpu_share_max: float = 0.0


class Recorder:
    """Writes rows and events of one worker and tells locust's ``request`` event of each attempt.

    The rows are written first and not by a listener: locust swallows what a listener raises, and a row must never vanish.
    """

    def __init__(self, run_dir: Path, worker: str, fire: Callable[..., None], region: str = DEFAULT_REGION) -> None:
        self.worker, self.account = worker, Account()
        self.log = EventLog(run_dir, worker, region)
        self._requests = RowWriter(run_dir, "requests", worker, buffer_rows=FLUSH_ROWS)
        self._fire = fire
        self._said = set[str]()

    def row(self, row: Row) -> None:
        """Record one attempt."""
        row["region"] = self.log.region
        self._requests.write(row)
        if row["error"] is not None:
            self._say(row)
        account = self.account
        account.recorded += 1
        if row["sent_ns"] is None:
            account.cap_hit += 1
            return
        account.sent += 1
        if row["attempt"] == 0:
            account.send_lag_max_ms = max(account.send_lag_max_ms, (row["sent_ns"] - row["intended_ns"]) / 1e6)
        else:
            account.retries += 1
        self._fire(
            request_type="POST",
            name="request",
            response_time=(row["done_ns"] - row["sent_ns"]) / 1e6,
            response_length=row["tokens"] or 0,
            exception=CatchResponseError(row["error"]) if row["error"] else None,
            context={"row": row},
        )

    def _say(self, row: Row) -> None:
        """Write each kind of error to the log of the process once, with the request that met it first."""
        if row["error"] not in self._said and len(self._said) < KINDS:
            self._said.add(row["error"])
            print(f"load: {self.worker}: request {row['request_id']} at {row['endpoint']}: {row['error']}", file=sys.stderr, flush=True)

    def flush(self) -> None:
        """Hand waiting rows to the kernel; they then survive a SIGKILL. Raises OSError (disk full …)."""
        before = now_ns()
        self._requests.flush()
        self.account.flush_max_ms = max(self.account.flush_max_ms, (now_ns() - before) / 1e6)

    def close(self) -> None:
        """Flush and close all files."""
        self._requests.close()
        self.log.close()


class Attempts:
    """Carries out attempts within the cap on requests in flight, one row each."""

    def __init__(self, client: Client, recorder: Recorder, cap: int) -> None:
        self._client, self._recorder, self._cap = client, recorder, cap
        self.in_flight = 0
        self._begun: dict[int, Exchange] = {}

    def begin(self, call: Call) -> None:
        """Send the first attempt of ``call`` now if that needs no waiting; :meth:`__call__` carries on with it."""
        if self.in_flight < self._cap and (exchange := self._client.begin(call, 0)):
            self._begun[call.request_id] = exchange
            self._enter()

    def __call__(self, call: Call, number: int) -> Row:
        """Carry out and record attempt ``number`` of ``call``; over the cap it is recorded as not sent."""
        begun = self._begun.pop(call.request_id, None) if number == 0 else None
        if begun is None and self.in_flight >= self._cap:
            row = self._client.never_sent(call, number, "in-flight cap")
        else:
            if begun is None:
                self._enter()
            try:
                row = self._client.attempt(call, number, begun)
            finally:
                self.in_flight -= 1
        self._recorder.row(row)
        return row

    def _enter(self) -> None:
        self.in_flight += 1
        self._recorder.account.in_flight_max = max(self._recorder.account.in_flight_max, self.in_flight)
