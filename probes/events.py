"""What the history of the running experiment says so far, and what the ledger of its training job says."""

from __future__ import annotations

import polars as pl

from history.errors import NoData
from history.ledger_clocks import clocks_of_ledger, placed
from history.reader import LEDGERS, read_table
from history.schema import TRAINING, EventKind
from history.workloads import Training
from safety import active_run


def training_job() -> Training:
    """Return the training job of the run. Raises NoData: it follows none."""
    job = active_run.require().plan.training
    if job is None:
        raise NoData("training: this run follows no training job; use a class of workload that is one")
    return job


def training_rows() -> pl.DataFrame:
    """Return the rows of the training job's ledger that have arrived, their times by the clock that times faults."""
    rows = read_table(active_run.require().run_dir / LEDGERS, "training", schema=TRAINING)
    return placed(rows, clocks_of_ledger(rows))


def first_ns(kind: EventKind, obj: str | None = None) -> int:
    """Return the time (ns UTC) of the first event of ``kind`` (about ``obj``).

    Raises:
        NoData: there is none yet.
        TargetRefused: no live run.

    """
    events = read_table(active_run.require().run_dir, "events").filter(pl.col("kind") == kind.value)
    if obj:
        events = events.filter(pl.col("object") == obj)
    if events.is_empty():
        raise NoData(f"history: no event {kind.value}{f' of {obj}' if obj else ''} yet, so nothing can be measured from it; is it running?")
    return int(events.select(pl.col("t_ns").min()).item())
