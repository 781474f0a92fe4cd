"""The step ledger: what every rank did, step by step, kept outside the trainer's fate.

One JSON object a line. Every row has run, attempt, rank, step, t_ns (UTC), host, pid, and ``kind``:

- ``start``: an attempt began: where it resumed, what it rejected;
- ``step``: one rank's step: sample ids, loss and its digest;
- ``state``: the digest of the whole state;
- ``checkpoint``: a save, per store;
- ``divergence``: which ranks deviate;
- ``tracked``: the tracking server's name for the run;
- ``clock``: how far this host's clock lies from that of the ledger's server, at the start and once a minute;
- ``end``: why the attempt ended; DONE if its last step is done.

Rows of the same (attempt, rank, kind, step) are the same row, sent twice. A row is durable when append() returns, or it is in the backlog.
A ledger that is down delays a step by at most the time-out, once a second.
"""

import http.client
import json
import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from workloads.training.errors import SettingsRefused
from workloads.training.telemetry.clock import Clock, measured_offset

CLOCK_EVERY_S = 60.0
DONE = "all steps are done"
"""The ``why`` of an ``end`` row of an attempt that did the last step: whoever follows a job knows its end by this sentence."""
_RETRY_S = 1.0
_BACKLOG = 200_000  # rows
Row = Mapping[str, object]


class Sink(Protocol):
    """Where rows go; raises OSError if they could not be stored durably."""

    def write(self, lines: bytes) -> None:
        """Store whole lines durably."""

    def server_ns(self) -> int | None:
        """Return the time (ns UTC) by the clock of where rows go; None: it is this host, or does not say. Raises OSError."""

    def close(self) -> None:
        """Let go of what is open."""


class FileSink:
    """A file: one write, so that rows of several ranks never mix, and fsync."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False

    def write(self, lines: bytes) -> None:
        """Append and sync; after a write that was cut short, the next begins a new line."""
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            lines = b"\n" * self._torn + lines
            self._torn = os.write(descriptor, lines) != len(lines)
            if self._torn:
                raise OSError(f"{self._path}: only a part of {len(lines)} bytes was written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def server_ns(self) -> int | None:
        """Return None: a file has no clock of its own."""
        return None

    def close(self) -> None:
        """Do nothing: nothing stays open."""


class HttpSink:
    """The ledger server on another machine (workloads/training/telemetry/ledger_server.py), over one connection that is kept."""

    def __init__(self, host: str, port: int, run_id: str, timeout_s: float = 1.0) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        self._path = f"/runs/{quote(run_id, safe='')}"

    def write(self, lines: bytes) -> None:
        """POST the lines; the server syncs before it answers."""
        status, _ = self._ask("POST", self._path, lines)
        if status != http.HTTPStatus.NO_CONTENT:
            raise OSError(f"ledger: answered {status}")

    def server_ns(self) -> int | None:
        """GET the server's time; None: it does not tell (an older one)."""
        status, body = self._ask("GET", "/time")
        return int(body) if status == http.HTTPStatus.OK and body.strip().isdigit() else None

    def _ask(self, method: str, path: str, lines: bytes | None = None) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, lines)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise OSError(f"ledger: {type(error).__name__} {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def open_sink(address: str, run_id: str) -> Sink:
    """Return the sink that ``address`` names; raises SettingsRefused for an address that names none."""
    parts = urlsplit(address)
    if parts.scheme == "file" and parts.path.startswith("/") and Path(parts.path).parent.is_dir():
        return FileSink(Path(parts.path))
    if parts.scheme == "http" and parts.hostname and parts.port:
        return HttpSink(parts.hostname, parts.port, run_id)
    raise SettingsRefused(f"TRAIN_LEDGER={address!r}: expected file:///folder/that/exists/ledger.jsonl or http://host:port")


class RankLedger:
    """The ledger of one rank in one attempt."""

    def __init__(self, sink: Sink, run_id: str, rank: int, clock: Clock | None = None) -> None:
        self._sink = sink
        self._fixed = {"run": run_id, "rank": rank, "host": os.uname().nodename, "pid": os.getpid()}
        self._clock = clock or Clock()
        self._backlog: deque[bytes] = deque(maxlen=_BACKLOG)
        self._retry_at = self._measure_at = 0.0
        self.attempt = 0

    @property
    def backlog(self) -> int:
        """Rows that are not durable yet."""
        return len(self._backlog)

    def append(self, kind: str, step: int, **values: object) -> None:
        """Add a row; now and then also one that says how this host's clock lies."""
        self._add(kind, step, values)
        if self._clock.monotonic() >= self._retry_at and self.flush() and self._clock.monotonic() >= self._measure_at:
            self._measure_clock(step)

    def _add(self, kind: str, step: int, values: Row) -> None:
        row: Row = {"kind": kind, "step": step, "t_ns": self._clock.time_ns(), "attempt": self.attempt, **self._fixed, **values}
        self._backlog.append(json.dumps(row).encode() + b"\n")

    def _measure_clock(self, step: int) -> None:
        """Tell how far this host's clock lies from the server's; what cannot be asked is asked again in a minute."""
        self._measure_at = self._clock.monotonic() + CLOCK_EVERY_S
        with suppress(OSError):
            if (found := measured_offset(self._sink.server_ns, self._clock)) is not None:
                self._add("clock", step, found._asdict())
                self.flush()

    def flush(self) -> bool:
        """Try to make everything durable and return whether it is."""
        if not self._backlog:
            return True
        try:
            self._sink.write(b"".join(self._backlog))
        except OSError:
            self._retry_at = self._clock.monotonic() + _RETRY_S
            return False
        self._backlog.clear()
        return True

    def close(self) -> None:
        """Try once more to make everything durable, and let go."""
        self.flush()
        self._sink.close()


def read(text: str) -> list[dict[str, Any]]:
    """Return the rows of a ledger's text; a line that was cut short is left out (its rows were written again, or never acknowledged)."""
    rows = []
    for line in text.split("\n"):
        with suppress(ValueError):
            rows.append(json.loads(line))
    return rows
