"""Requests as users made them: one entry a scheduled arrival, in the order in which users asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from history.reader import Run
from history.schema import EventKind
from verdict.inputs.attempts import Attempts, Bools, Codes, Floats, Ints
from verdict.inputs.reasons import Reason

SLACK_NS = 1_000_000
"""A row may differ from its scheduled time by this much (rounding); more is a damaged record or a clock that jumped."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What users asked for and got; all arrays have shape (n,) and are sorted by ``t_ns``."""

    t_ns: Ints  # when the user asked (ns UTC)
    good: Bools  # any attempt was good
    sent: Bools  # any attempt was sent
    recorded: Bools  # there is any row
    latency_ms: Floats  # the least of the right answers' (infinite: none came)
    row: Ints  # of ``requests``: the attempt that served the user, or else any (-1: none was recorded)
    decided_ns: Ints  # when it was certain whether it was good: that of its last attempt, or of the first good one
    reason: Codes  # why it was not good (verdict.inputs.reasons.Reason): that of the attempt that was decided last
    scheduled: Ints  # row of the schedule
    stop_ns: int  # the end of the load: nothing later was promised
    off_schedule: int  # rows whose time is not the scheduled one
    start_error_s: float  # how far the rows' common start lies from the recorded start of the load (NaN: none was recorded)

    def __len__(self) -> int:
        return len(self.t_ns)

    def between(self, start_ns: int, end_ns: int) -> slice:
        """Return the arrivals in [start_ns, end_ns) as a slice."""
        first, last = np.searchsorted(self.t_ns, [start_ns, max(start_ns, end_ns)])
        return slice(int(first), int(last))

    @property
    def span_s(self) -> float:
        """From the first arrival to the last (s)."""
        return float(self.t_ns[-1] - self.t_ns[0]) / 1e9 if len(self) else 0.0

    @property
    def rate_rps(self) -> float:
        """Arrivals a second (0: too few to tell)."""
        return (len(self) - 1) / self.span_s if self.span_s > 0 else 0.0


def scheduled_arrivals(run: Run, attempts: Attempts) -> Arrivals:
    """Return every arrival that was promised, whether or not its request was recorded.

    A scheduled request is a hole if it was due by the end of the load (``load.stop``) and has no row. What became of it is unknown, and
    unknown counts as bad. A load that never said when it stopped was due to run as long as anything was recorded.

    Args:
        run: the history.
        attempts: its rows.

    """
    due_ns, off_schedule, start_error_s = _due(run, attempts)
    stop_ns = load_stop_ns(run)
    known = attempts.position >= 0
    row = attempts.position[known]
    count = len(due_ns)
    recorded, sent, good = (_marked(count, row[mask]) for mask in (slice(None), attempts.sent[known], attempts.good[known]))
    decided_ns, reason = _decided(due_ns + int(run.plan.requests.load.timeout_s * 1e9) if count else due_ns, attempts)
    order = np.flatnonzero(recorded | (due_ns <= stop_ns))
    if np.any(np.diff(due_ns[order]) < 0):
        order = order[np.argsort(due_ns[order], kind="stable")]
    return Arrivals(
        t_ns=due_ns[order],
        good=good[order],
        sent=sent[order],
        recorded=recorded[order],
        latency_ms=_least_latency(count, attempts)[order],
        row=_rows(count, attempts)[order],
        decided_ns=decided_ns[order],
        reason=reason[order],
        scheduled=order,
        stop_ns=stop_ns,
        off_schedule=off_schedule,
        start_error_s=start_error_s,
    )


def load_stop_ns(run: Run) -> int:
    """Return the end of the load (ns): when its first worker stopped, or the last thing recorded if none said so."""
    stops = run.events.filter(pl.col("kind") == EventKind.LOAD_STOP.value).group_by("object").agg(pl.col("t_ns").max())["t_ns"].drop_nulls()
    if not stops.is_empty():
        return int(stops.to_numpy().min())
    seen = (run.events["t_ns"], run.requests["done_ns"], run.requests["intended_ns"])
    return max(int(times.drop_nulls().to_numpy().max(initial=0)) for times in seen)


def _due(run: Run, attempts: Attempts) -> tuple[Ints, int, float]:
    """Return when each scheduled request was due (ns), how many rows differ from that, and the start's error (s)."""
    offset_ns = run.schedule["offset_ns"].fill_null(0).to_numpy()
    worker = run.schedule["worker"].fill_null(0).to_numpy()
    known = attempts.position >= 0
    row = attempts.position[known]
    event_ns = run.first(EventKind.LOAD_START)
    started_ns = attempts.intended_ns[known] - offset_ns[row]
    base_ns = event_ns if event_ns is not None else int(started_ns.min()) if len(row) else 0
    due_ns, off_schedule, largest_ns = base_ns + offset_ns, 0, 0
    for number in np.unique(worker):
        late_ns = started_ns[worker[row] == number] - base_ns
        shift_ns = int(np.median(late_ns)) if len(late_ns) else 0
        due_ns[worker == number] += shift_ns
        off_schedule += int(np.count_nonzero(np.abs(late_ns - shift_ns) > SLACK_NS))
        largest_ns = max(largest_ns, abs(shift_ns))
    return due_ns, off_schedule, np.nan if event_ns is None else largest_ns / 1e9


def _marked(count: int, rows: Ints) -> Bools:
    marks = np.zeros(count, dtype=np.bool_)
    marks[rows] = True
    return marks


def _rows(count: int, attempts: Attempts) -> Ints:
    rows = np.full(count, -1)
    for wanted in (attempts.position >= 0, (attempts.position >= 0) & attempts.good):  # what is written last stays
        rows[attempts.position[wanted]] = np.flatnonzero(wanted)
    return rows


def _least_latency(count: int, attempts: Attempts) -> Floats:
    least = np.full(count, np.inf)
    usable = attempts.right & (attempts.position >= 0) & ~np.isnan(attempts.latency_ms)
    row, latency_ms = attempts.position[usable], attempts.latency_ms[usable]
    if attempts.number.max(initial=0) > 0:
        order = np.argsort(-latency_ms, kind="stable")  # of several attempts at one request the least is written last
        row, latency_ms = row[order], latency_ms[order]
    least[row] = latency_ms
    return least


def _decided(given_up_ns: Ints, attempts: Attempts) -> tuple[Ints, Codes]:
    """Return when each scheduled request was decided, and why it was not good; of one without a row that is not known."""
    decided_ns, reason = given_up_ns.copy(), np.full(len(given_up_ns), Reason.UNRECORDED, dtype=np.int8)
    known = attempts.position >= 0
    row, ends_ns, why = attempts.position[known], attempts.decided_ns[known], attempts.reason[known]
    if attempts.number.max(initial=0) > 0:  # of several attempts the one that counts is written last
        good = attempts.good[known]
        order = np.lexsort((np.where(good, -ends_ns, ends_ns), good))
        row, ends_ns, why = row[order], ends_ns[order], why[order]
    decided_ns[row], reason[row] = ends_ns, why
    return decided_ns, reason
