"""A training job's ledger, followed while the ranks write it: kept in the run's history, and read for when to stop."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.ledgers import CLOCK, NEEDED, PLAIN, RUNNER, LedgerWriter, lacking, training_rows
from history.schema import TRAINING
from history.workloads import Training
from runner.drivers.driver import WorkloadFailed
from runner.event_log import RunLog
from runner.instrument import Instrument
from verdict.inputs.training_job import TrainingJob, recovered, training_job_of, verified_ns
from workloads.training.telemetry.clock import Clock, Offset, measured_offset
from workloads.training.telemetry.ledger import CLOCK_EVERY_S, DONE

LEDGER = "ledger"


class Source(NamedTuple):
    """Where a job's ledger comes from. Both raise NoData while nobody answers."""

    fetch: Callable[[int], bytes]  # its bytes from an offset on
    server_ns: Callable[[], int | None] = lambda: None  # the time by its server's clock (ns UTC); None: it does not tell


class TrainingProgress:
    """The ledger so far. ``end()`` ends the job; ``budget_s``: how long it may take until training is beyond its high-water mark."""

    def __init__(
        self,
        source: Source,
        writer: LedgerWriter,
        job: Training,
        log: RunLog,
        end: Callable[[], None],
        *,
        budget_s: float | None = None,
    ) -> None:
        self._source, self._writer, self._job, self._log, self._end = source, writer, job, log, end
        self._budget_s, self._measure_at, self._lacking = budget_s, 0.0, Counter[str]()
        self._ended = self._tells = False
        self._offset = 0
        self._rows: list[dict[str, object]] = []
        self._ledger = training_job_of(job, pl.DataFrame(schema=TRAINING))
        self._instrument = Instrument(log, LEDGER)
        self._lock = threading.Lock()

    def update(self) -> None:
        """Read what was written since the last call; while the ledger does not answer, the history says so."""
        with self._lock:
            if self._ended:
                return
            try:
                data = self._source.fetch(self._offset)
                self._measure_clock()
            except NoData as error:
                self._instrument.heard(str(error))
                return
            self._instrument.heard()
            end = data.rfind(b"\n") + 1
            if end:
                self._offset += end
                self._rows += self._writer.append([self._received(one) for one in training_rows(data[:end])])
                self._lacking += lacking(data[:end])
                self._ledger = training_job_of(self._job, pl.DataFrame(self._rows, schema=TRAINING), budget_s=self._budget_s)

    def _measure_clock(self) -> None:
        """Add, now and then, how far the clock that times faults lies from the ledger server's: the ranks' times are corrected by both.

        A server of somebody's own need not tell the time; rows are then received here.
        """
        clock = Clock()
        if clock.monotonic() < self._measure_at:
            return
        self._measure_at, found = clock.monotonic() + CLOCK_EVERY_S, None
        with suppress(NoData):
            found = measured_offset(self._source.server_ns, clock)
        if found is None and self._tells:
            return
        self._tells = found is not None
        self._rows += self._writer.append([_clock_row(found or Offset(0, 0))])

    def _received(self, row: dict[str, object]) -> dict[str, object]:
        """Return a row with when it came: the server says so, or it is now, by the clock that times faults."""
        return row if self._tells else row | {"received_ns": now_ns()}

    @property
    def ledger(self) -> TrainingJob:
        """The ledger as it was read last."""
        return self._ledger

    def failure(self) -> str:
        """Return why there is nothing left to watch although nobody ended the job; empty while it goes on, or should."""
        if self._ended or not self.finished():
            return ""
        return f"job {self._job.job}: it did its last step before the run was over; give it more (TRAIN_STEPS)"

    def drain(self) -> tuple[Path, ...]:
        """Read the ledger to its end, then end the job. Raises WorkloadFailed: it had ended before."""
        wrong = self.failure()
        if not self._ended:
            self.update()
            with self._lock:
                self._ended = True
                self._writer.close()
            self._end()
        if wrong:
            raise WorkloadFailed(wrong)
        return (self._writer.path,)

    def left_out(self) -> str:
        """Return ``: `` and which rows cannot be read for lack of a field that each needs; empty: all can."""
        fields = ", ".join(f"{rows} without `{name}`" for name, rows in self._lacking.items())
        return f": rows of its ledger are left out, {fields}; each needs {', '.join(NEEDED)}" if fields else ""

    def lacks(self, since_ns: int) -> str:
        """Return what a baseline that began at ``since_ns`` still lacks: steps, a verified checkpoint."""
        self.update()
        done = [one for one in self._ledger.progress if one.t_ns >= since_ns]
        if not done:
            return f"no step of training was done{self.left_out()}"
        return "" if verified_ns(self._ledger) else f"{len(done)} steps were done, and no checkpoint is verified yet"

    def recovered(self, fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether training has been beyond its high-water mark for ``hold_s`` after ``not_before_ns``, by the judges' own rule."""
        return recovered(self._ledger, fault_ns, not_before_ns, hold_s, now_ns())

    def finished(self) -> bool:
        """Tell whether the last step of the job was done, so that there is nothing left to watch."""
        details = self._ledger.rows.filter(pl.col("kind") == "end")["detail"]
        return any(DONE in (detail or "") for detail in details)

    def text(self, window_s: float) -> str:
        """Return how far training is, how fast, and from which attempt."""
        done = self._ledger.done
        if not done:
            return "no step yet"
        recent = sum(one.t_ns >= now_ns() - int(window_s * 1e9) for one in done)
        known = verified_ns(self._ledger)
        saved = f", checkpoint {max(step for _, step in known)}" if known else ", no checkpoint"
        again = f", attempt {done[-1].attempt}" if len(self._ledger.starts) > 1 else ""
        return f"step {done[-1].step}, {recent / window_s:.1f} steps/s{saved}{again}"


def _clock_row(found: Offset) -> dict[str, object]:
    said = {"t_ns": now_ns(), "kind": CLOCK, "attempt": 0, "rank": -1, "step": 0, "host": RUNNER}
    return {**dict.fromkeys(PLAIN), **said, "detail": json.dumps(found._asdict())}
