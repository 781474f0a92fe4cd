"""A training job's ledger, followed while the ranks write it: kept in the run's history, and read for when to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.ledgers import LedgerWriter
from history.schema import TRAINING, EventKind
from history.workloads import Training
from runner.event_log import RunLog
from verdict.inputs.training_job import TrainingJob, recovered, training_job_of, verified_ns
from workloads.training.telemetry.ledger import DONE

LEDGER = "ledger"


class TrainingProgress:
    """The ledger so far. ``fetch(offset)`` returns its bytes from ``offset`` on; it raises NoData while nobody answers."""

    def __init__(self, fetch: Callable[[int], bytes], writer: LedgerWriter, job: Training, log: RunLog) -> None:
        self._fetch, self._writer, self._job, self._log = fetch, writer, job, log
        self._offset = 0
        self._rows: list[dict[str, object]] = []
        self._ledger = training_job_of(job, pl.DataFrame(schema=TRAINING))
        self._down = ""
        self._lock = threading.Lock()

    def update(self) -> None:
        """Read what was written since the last call; while the ledger does not answer, the history says so."""
        with self._lock:
            try:
                data = self._fetch(self._offset)
            except NoData as error:
                self._link(str(error))
                return
            self._link("")
            end = data.rfind(b"\n") + 1
            if end:
                self._offset += end
                self._rows += self._writer.write(data[:end])
                self._ledger = training_job_of(self._job, pl.DataFrame(self._rows, schema=TRAINING))

    @property
    def ledger(self) -> TrainingJob:
        """The ledger as it was read last."""
        return self._ledger

    def lacks(self, since_ns: int) -> str:
        """Return what a baseline that began at ``since_ns`` still lacks: steps, a verified checkpoint."""
        self.update()
        done = [one for one in self._ledger.progress if one.t_ns >= since_ns]
        if not done:
            return "no step of training was done"
        return "" if verified_ns(self._ledger) else f"{len(done)} steps were done, and no checkpoint is verified yet"

    def recovered(self, t_fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether training has been beyond its high-water mark for ``hold_s`` after ``not_before_ns``, by the judges' own rule."""
        return recovered(self._ledger, t_fault_ns, not_before_ns, hold_s, now_ns())

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

    def _link(self, down: str) -> None:
        if bool(down) != bool(self._down):
            self._log.event(EventKind.INSTRUMENT_DOWN if down else EventKind.INSTRUMENT_UP, LEDGER, error=down)
        self._down = down
