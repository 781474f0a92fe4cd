"""How users are served, read from the history while it is written. It decides when a run stops; the verdict never reads it.

The judges' own functions say what a good request and an outage are, so that a run that stops here is one that they find recovered.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from history.reader import read_table
from history.schema import REQUESTS
from history.workloads import Slo
from runner.drivers.driver import WorkloadFailed
from runner.drivers.requests.load import LoadLike
from verdict.inputs.goodness import good_request
from verdict.inputs.outages import Rule, find_outages

UNKNOWN, BAD, GOOD = 0, 1, 2
TOO_LATE = "answers later than the SLO allows"
MARGIN_S = 1.0  # beyond the hold: the load stops a little later than what is seen here


@dataclass(frozen=True, slots=True)
class Window:
    """Requests that users asked for in a stretch of time."""

    total: int
    bad: int
    p95_ms: float | None  # of the answered ones
    trouble: str = ""  # the commonest error of the bad ones

    def text(self) -> str:
        """Return it as a person reads it."""
        if not self.total:
            return "no request answered yet"
        p95 = "" if self.p95_ms is None else f", p95 {_duration(self.p95_ms)}"
        mostly = f", mostly {self.trouble}" if self.trouble else ""
        return f"{self.bad / self.total:.0%} bad{p95}{mostly}"


class RequestProgress:
    """The arrivals of a run, in the order in which users asked, and how each ended so far.

    ``known_ns``: every scheduled arrival before it has its row, so windows that end there hide nothing.
    """

    def __init__(
        self, run_dir: Path, slo: Slo, origin_ns: int, needed: int = 0, load: LoadLike | None = None, *, may_differ: bool = False
    ) -> None:
        self._load, self._may_differ = load, may_differ
        schedule = read_table(run_dir, "schedule").sort("offset_ns")
        self._dir, self._slo, self._needed = run_dir, slo, needed
        self._place = np.argsort(schedule["request_id"].to_numpy())  # request ids count from 0
        self._intended = schedule["offset_ns"].to_numpy() + origin_ns
        self._stream = schedule["stream"].to_numpy()
        self._state: npt.NDArray[np.int8] = np.zeros(len(self._intended), dtype=np.int8)
        self._latency_ms = np.full(len(self._intended), np.nan)
        self._error: npt.NDArray[np.object_] = np.full(len(self._intended), None, dtype=object)
        self._offsets: dict[Path, int] = {}
        self._known = 0
        self._lock = threading.Lock()

    def update(self) -> None:
        """Read what was written since the last call."""
        with self._lock:
            for file in sorted(self._dir.glob("requests.*.jsonl")):
                rows = [orjson.loads(line) for line in self._new_lines(file)]
                if rows:
                    self._take(pl.DataFrame(rows, schema=REQUESTS))
            while self._known < len(self._state) and self._state[self._known] != UNKNOWN:
                self._known += 1

    @property
    def known_ns(self) -> int:
        """Return until when the record is complete (ns UTC)."""
        return int(self._intended[min(self._known, len(self._intended) - 1)]) if len(self._intended) else 0

    def answered(self, since_ns: int) -> int:
        """Return how many arrivals since ``since_ns`` are known."""
        return max(0, int(self._known - np.searchsorted(self._intended, since_ns)))

    def window(self, since_ns: int, until_ns: int) -> Window:
        """Return what happened to those who asked in [``since_ns``, ``until_ns``), as far as it is known."""
        first, last = np.searchsorted(self._intended, [since_ns, until_ns])
        state, latency = self._state[first:last], self._latency_ms[first:last]
        answered = latency[~np.isnan(latency)]
        p95 = float(np.percentile(answered, 95)) if len(answered) else None
        errors = Counter(self._error[first:last][state == BAD]).most_common(1)
        return Window(int((state != UNKNOWN).sum()), int((state == BAD).sum()), p95, errors[0][0] if errors else "")

    def failure(self) -> str:
        """Return why the load is not running although nobody ended it; empty while all is well."""
        return self._load.failure() if self._load is not None else ""

    def drain(self) -> tuple[Path, ...]:
        """End the load: no new arrivals, every request that was sent gets its end. Raises WorkloadFailed."""
        wrong = self._load.end() if self._load is not None else ""
        self.update()
        if wrong:
            raise WorkloadFailed(wrong)
        return tuple(sorted(self._dir.glob("requests.*.jsonl")))

    def lacks(self, since_ns: int) -> str:
        """Return how many arrivals a baseline that began at ``since_ns`` still lacks, as a sentence; empty: none."""
        self.update()
        answered = self.answered(since_ns)
        return "" if answered >= self._needed else f"only {answered} of {self._needed} arrivals were answered"

    def text(self, window_s: float) -> str:
        """Return how users were served in the last ``window_s`` seconds that are known."""
        return self.window(self.known_ns - int(window_s * 1e9), self.known_ns).text()

    def recovered(self, fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether users are served again and have been for ``hold_s`` (and a margin) after ``not_before_ns``, all of it known."""
        hold_ns, until_ns = int(hold_s * 1e9), self.known_ns - int(MARGIN_S * 1e9)
        if until_ns - hold_ns < not_before_ns:
            return False
        first = int(np.searchsorted(self._intended, fault_ns))
        arrivals = slice(first, self._known)
        outages = find_outages(self._intended[arrivals], self._state[arrivals] == GOOD, Rule(self._slo.ratio, hold_ns), until_ns).outages
        return not outages or outages[-1].held

    def _new_lines(self, file: Path) -> list[bytes]:
        with file.open("rb") as stream:
            stream.seek(self._offsets.get(file, 0))
            data = stream.read()
        end = data.rfind(b"\n") + 1
        self._offsets[file] = self._offsets.get(file, 0) + end
        return data[:end].splitlines()

    def _take(self, rows: pl.DataFrame) -> None:
        rows = rows.filter(pl.col("request_id").is_between(0, len(self._state) - 1))
        places = self._place[rows["request_id"].to_numpy()]
        stream = pl.Series("stream", self._stream[places], dtype=pl.Boolean)
        latency = (pl.col("done_ns") - pl.col("intended_ns")) / 1e6
        good = good_request(pl.col("stream"), self._slo, may_differ=self._may_differ)
        judged = rows.with_columns(stream).select(good=good, latency=latency, outcome="outcome", error="error")
        state = np.where(judged["good"].to_numpy(), GOOD, BAD).astype(np.int8)
        np.maximum.at(self._state, places, state)  # a user with one good attempt was served
        self._error[places] = judged["error"].fill_null(TOO_LATE).to_numpy()
        ok = (judged["outcome"] == "ok").to_numpy()
        self._latency_ms[places[ok]] = judged["latency"].to_numpy()[ok]


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1e3:.1f} s" if milliseconds >= 1e3 else f"{milliseconds:.0f} ms"
