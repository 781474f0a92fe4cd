"""What users feel, read from the history while it is being written. For progress and for deciding when to stop; never for the verdict."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from history.plan import Slo
from history.reader import read_table

UNKNOWN, BAD, GOOD = 0, 1, 2
MARGIN_NS = 2_000_000_000
"""The hold that ends the observation is this much longer than the hold that the verdict asks for, so that its window lies inside."""


@dataclass(frozen=True, slots=True)
class Window:
    """Requests that users asked for in a stretch of time."""

    total: int
    bad: int
    p95_ms: float | None  # of the answered ones

    @property
    def ratio(self) -> float | None:
        """Share of good ones; None without any."""
        return 1 - self.bad / self.total if self.total else None

    def text(self) -> str:
        """Return it as a person reads it."""
        if not self.total:
            return "no request answered yet"
        p95 = "" if self.p95_ms is None else f", p95 {_duration(self.p95_ms)}"
        return f"{self.bad / self.total:.0%} bad{p95}"


class Felt:
    """The arrivals of a run, in the order in which users asked, and how each ended so far.

    ``known_ns``: every scheduled arrival before it has its row, so windows that end there hide nothing.
    """

    def __init__(self, run_dir: Path, slo: Slo, origin_ns: int) -> None:
        schedule = read_table(run_dir, "schedule").sort("offset_ns")
        self._dir, self._slo = run_dir, slo
        self._place = {int(number): place for place, number in enumerate(schedule["request_id"])}
        self._intended = schedule["offset_ns"].to_numpy() + origin_ns
        self._stream = schedule["stream"].to_numpy()
        self._state: npt.NDArray[np.int8] = np.zeros(len(self._intended), dtype=np.int8)
        self._latency_ms = np.full(len(self._intended), np.nan)
        self._offsets: dict[Path, int] = {}
        self._known = 0
        self._lock = threading.Lock()

    def update(self) -> None:
        """Read what was written since the last call."""
        with self._lock:
            for file in sorted(self._dir.glob("requests.*.jsonl")):
                for line in self._new_lines(file):
                    self._take(orjson.loads(line))
            while self._known < len(self._state) and self._state[self._known] != UNKNOWN:
                self._known += 1

    @property
    def known_ns(self) -> int:
        """Return until when the record is complete (ns UTC)."""
        if not len(self._intended):
            return 0
        return int(self._intended[min(self._known, len(self._intended) - 1)])

    def answered(self, since_ns: int) -> int:
        """Return how many arrivals since ``since_ns`` are known."""
        return int(self._known - np.searchsorted(self._intended, since_ns)) if self._known else 0

    def window(self, since_ns: int, until_ns: int) -> Window:
        """Return what happened to those who asked in [``since_ns``, ``until_ns``) and have an answer or none to wait for."""
        first, last = np.searchsorted(self._intended, [since_ns, until_ns])
        state, latency = self._state[first:last], self._latency_ms[first:last]
        answered = latency[(state != UNKNOWN) & ~np.isnan(latency)]
        p95 = float(np.percentile(answered, 95)) if len(answered) else None
        return Window(total=int((state != UNKNOWN).sum()), bad=int((state == BAD).sum()), p95_ms=p95)

    def recovered(self, since_ns: int, hold_s: float) -> bool:
        """Tell whether users have been served within the SLO for ``hold_s`` and a margin, all of it after ``since_ns`` and known."""
        start = self.known_ns - int(hold_s * 1e9) - MARGIN_NS
        ratio = self.window(start, self.known_ns).ratio
        return start >= since_ns and ratio is not None and ratio >= self._slo.ratio

    def _new_lines(self, file: Path) -> list[bytes]:
        with file.open("rb") as stream:
            stream.seek(self._offsets.get(file, 0))
            data = stream.read()
        end = data.rfind(b"\n") + 1
        self._offsets[file] = self._offsets.get(file, 0) + end
        return data[:end].splitlines()

    def _take(self, row: dict[str, Any]) -> None:
        place = self._place.get(row["request_id"])
        if place is None:
            return
        good = self._good(row, bool(self._stream[place]))
        self._state[place] = max(self._state[place], GOOD if good else BAD)  # a user with one good attempt was served
        if row["done_ns"] is not None and row["outcome"] == "ok":
            self._latency_ms[place] = (row["done_ns"] - row["intended_ns"]) / 1e6

    def _good(self, row: dict[str, Any], stream: bool) -> bool:
        if row["outcome"] != "ok" or row["valid"] is False or row["complete"] is False or row["done_ns"] is None:
            return False
        if stream and self._slo.ttft_ms is not None:
            first_ms = (row["first_byte_ns"] - row["intended_ns"]) / 1e6
            gap_ms = row["max_gap_ms"] or 0.0
            return first_ms <= self._slo.ttft_ms and (self._slo.max_gap_ms is None or gap_ms <= self._slo.max_gap_ms)
        return bool((row["done_ns"] - row["intended_ns"]) / 1e6 <= self._slo.latency_ms)


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1e3:.1f} s" if milliseconds >= 1e3 else f"{milliseconds:.0f} ms"
