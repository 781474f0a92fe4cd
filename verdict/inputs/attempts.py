"""The rows of ``requests`` as arrays: every attempt, placed on the schedule and judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from history.reader import Run
from verdict.inputs.goodness import acknowledged, answered_right, felt_latency_ms, good_request
from verdict.inputs.reasons import decided_ns, reason_of

MOST_ATTEMPTS = 16
"""Up to so many attempts a request, duplicates are counted in a table; beyond, by sorting."""

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Attempts:
    """Every attempt, in the order of its row; all arrays have shape (rows,)."""

    position: Ints  # row of the schedule (-1: the request is not in it)
    number: Numbers  # 0: the user's first try
    intended_ns: Ints
    sent: Bools
    good: Bools
    right: Bools  # a right and whole answer came, in time or not; one of a class whose answers may differ counts as right
    acknowledged: Bools
    latency_ms: Floats  # what the user felt (NaN: nothing to measure)
    lag_ms: Floats  # sent - intended (NaN: never sent)
    decided_ns: Ints  # when it was certain whether it is good
    reason: Codes  # why it was not good (verdict.inputs.reasons.Reason)

    def __len__(self) -> int:
        return len(self.position)

    @property
    def first(self) -> Bools:
        """Whether an attempt is the user's first try."""
        return np.asarray(self.number == 0)

    @property
    def doubled(self) -> int:
        """How many rows repeat the (request_id, attempt) of another row."""
        known = self.position >= 0
        if not known.any():
            return 0
        numbers = int(self.number.max()) + 1
        key = self.position[known] * numbers + np.maximum(self.number[known], 0)
        different = np.count_nonzero(np.bincount(key)) if numbers <= MOST_ATTEMPTS else len(np.unique(key))
        return int(len(key) - different)


NONE = Attempts(
    *[np.zeros(0, dtype=kind) for kind in (np.int64, np.int16, np.int64, *[np.bool_] * 4, *[np.float64] * 2, np.int64, np.int8)]
)


def attempts_of(run: Run) -> Attempts:
    """Place the rows of ``run`` on its schedule and judge each; a workload that is none of requests has none."""
    if run.requests.is_empty() and run.schedule.is_empty():
        return NONE
    position = positions(run.schedule["request_id"], run.requests["request_id"])
    streamed = streamed_rows(run, position)
    stream, slo, timeout_s = pl.col("streamed"), run.plan.requests.slo, run.plan.requests.load.timeout_s
    may_differ = run.plan.requests.answers.may_differ > 0
    rows = run.requests.with_columns(pl.Series("streamed", streamed))
    judged = (
        pl.col("attempt").fill_null(-1),
        pl.col("intended_ns").fill_null(0),
        pl.col("sent_ns").is_not_null().alias("sent"),
        good_request(stream, slo, may_differ=may_differ).alias("good"),
        answered_right(may_differ=may_differ).alias("right"),
        acknowledged().alias("acknowledged"),
        felt_latency_ms(stream, slo).fill_null(np.nan).alias("latency_ms"),
        ((pl.col("sent_ns") - pl.col("intended_ns")) / 1e6).fill_null(np.nan).alias("lag_ms"),
        pl.col("done_ns").fill_null(0).alias("decided_ns"),  # of the good ones
    )
    # by the streaming engine: a part of the rows at a time, so intermediate columns of a million rows never stand beside one another
    frame = rows.lazy().select(judged).collect(engine="streaming")
    columns = {name: frame[name].to_numpy() for name in frame.columns[1:]}
    decided, reason, bad = columns.pop("decided_ns").copy(), np.zeros(len(frame), dtype=np.int8), ~columns["good"]
    of_bad = rows.filter(pl.Series(bad)).select(
        decided=decided_ns(stream, slo, timeout_s).fill_null(0), reason=reason_of(stream, slo, timeout_s)
    )
    decided[bad], reason[bad] = of_bad["decided"].to_numpy(), of_bad["reason"].to_numpy()
    return Attempts(position=position, number=frame["attempt"].to_numpy(), decided_ns=decided, reason=reason, **columns)


def positions(scheduled: pl.Series, requested: pl.Series) -> Ints:
    """Return for each of ``requested`` the row of ``scheduled`` with the same id, -1 where there is none."""
    ids, wanted = scheduled.fill_null(-1).to_numpy(), requested.fill_null(-2).to_numpy()
    if np.array_equal(ids, np.arange(len(ids))):
        return np.where((wanted >= 0) & (wanted < len(ids)), wanted, -1)
    if not len(ids):
        return np.full(len(wanted), -1)
    order = np.argsort(ids, kind="stable")
    nearest = order[np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)]
    return np.where(ids[nearest] == wanted, nearest, -1)


def streamed_rows(run: Run, position: Ints) -> Bools:
    """Return whether each row was streamed: as scheduled, or as measured where the schedule does not know the request."""
    measured = run.requests["max_gap_ms"].is_not_null().to_numpy()
    if not run.schedule.height:
        return measured
    scheduled = run.schedule["stream"].fill_null(value=False).to_numpy()[np.maximum(position, 0)]
    return np.where(position >= 0, scheduled, measured)
