"""Whether the record is whole, in order, and of one time: check ``history``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import polars as pl

from history.kinds import REQUESTS
from history.plan import Phase
from history.result import Check
from history.schema import EventKind, Outcome
from verdict.case import Case
from verdict.inputs.attempts import streamed_rows
from verdict.inputs.clocks import Clocks
from verdict.shared.registry import Cause, Role, check
from verdict.shared.results import Figures, unless
from verdict.words import count, plain, seconds

STEP_BACK_NS = 1_000_000_000
"""A worker writes a row when an attempt ends; times that step back by more than this are out of order."""
EARLY_NS = 5_000_000
LARGEST_CLOCK_ERROR_S = 1.0
OVERTIME_S = 10.0
"""How much later than the client's time-out an attempt may end before its times are impossible."""


@check(REQUESTS, Role.GATE, title="Complete record", cause=Cause.RECORD)
def history(case: Case) -> Check:
    """Check that the record is whole: every scheduled request has its row, none twice, in order, and all clocks agree."""
    summary = case.audit.summary
    problems = [*distrust(case), *gaps(case)]
    whole = f"The record is whole: {count(summary.scheduled, 'scheduled request')}, each with its row.{elsewhere(case.clocks)}"
    figures = Figures(measured=float(summary.holes), budget=0.0, unit="requests")
    return unless("history", problems, "The record does not support a verdict", whole, **figures)


def elsewhere(clocks: Clocks) -> str:
    """Return what is known of clocks that are not this machine's: a sentence, if there are any."""
    if not clocks.elsewhere:
        return ""
    return f" The clocks of {', '.join(clocks.elsewhere)}, elsewhere, were measured; all clocks agree within {seconds(clocks.error_s)}."


def distrust(case: Case) -> Iterator[str]:
    """Yield why what the record says cannot be believed."""
    yield from _empty(case)
    yield from _rows(case)
    yield from _order(case)
    yield from _clocks(case)
    yield from _plan(case)


def gaps(case: Case) -> Iterator[str]:
    """Yield what the record leaves out."""
    yield from torn_lines(case)
    holes = case.audit.summary.holes
    if holes:
        first_ns = int(case.arrivals.t_ns[~case.arrivals.recorded][0])
        where = f"{seconds(abs(case.after_fault_s(first_ns)))} {'after' if case.after_fault_s(first_ns) >= 0 else 'before'} the fault"
        missing = count(holes, "scheduled request has", "scheduled requests have")
        yield f"{missing} no row, the first {where}: what became of them is unknown"
    claimed, rows = case.audit.claimed_rows, len(case.attempts)
    if claimed is not None and claimed > rows:
        yield f"the load wrote {count(int(claimed), 'row')}, the record holds {rows:,}"


def torn_lines(case: Case) -> Iterator[str]:
    """Yield which files end in a line that was cut off."""
    for name in case.run.torn:
        yield f"the last line of {name} was cut off"


def phases_back(case: Case) -> Iterator[str]:
    """Yield that a phase begins before one that comes before it, if one does."""
    order = list(Phase)
    begun = [order.index(Phase(event.object)) for event in case.timeline.all(EventKind.PHASE) if event.object in set(order)]
    if any(after < before for before, after in pairwise(begun)):
        yield "its phases are out of order in time"


def _empty(case: Case) -> Iterator[str]:
    for name in ("schedule", "requests", "events"):
        if getattr(case.run, name).is_empty():
            yield f"it holds no {name}"


def _rows(case: Case) -> Iterator[str]:
    rows, schedule = case.run.requests, case.run.schedule
    answered = (pl.col("outcome") == Outcome.OK.value).fill_null(value=False) & _lacks("sent_ns", "done_ns", "status", "complete")
    damaged = _rows_where(rows, _lacks("request_id", "attempt", "intended_ns", "outcome") | answered)
    damaged += _rows_where(schedule, _lacks("request_id", "offset_ns", "stream", "worker")) + case.timeline.damaged
    if damaged:
        yield f"{count(damaged, 'row lacks', 'rows lack')} a required value"
    unknown = int((case.attempts.position < 0).sum())
    if unknown:
        yield f"{count(unknown, 'row belongs', 'rows belong')} to no scheduled request"
    doubled = case.attempts.doubled + schedule.height - schedule["request_id"].n_unique()
    if doubled:
        yield f"{count(doubled, 'row repeats', 'rows repeat')} the id of another (duplicate ids)"


def _lacks(*names: str) -> pl.Expr:
    return pl.any_horizontal([pl.col(name).is_null() for name in names])


def _rows_where(frame: pl.DataFrame, wanted: pl.Expr) -> int:
    return int(frame.select(wanted.fill_null(value=False).sum()).item())


def _order(case: Case) -> Iterator[str]:
    back = _rows_where(case.run.requests, _ran_back(case))
    if back:
        yield f"{count(back, 'row is', 'rows are')} out of order in time"
    impossible = _rows_where(case.run.requests, _impossible(case))
    if impossible:
        strange = count(impossible, "row has", "rows have")
        yield f"{strange} impossible times (answered before sent, or long after the time-out): a clock jumped"
    yield from phases_back(case)
    yield from _fault_times(case)


def _ran_back(case: Case) -> pl.Expr:
    """Return which rows were done long before one that stands above them.

    A row is written when its answer has ended. A stream is done when it says so; a network that loses packets may bring its end later, by
    as much as the load waits for an answer.
    """
    streamed = pl.Series(streamed_rows(case.run, case.attempts.position))
    late_ns = pl.when(streamed).then(_longest_ns(case)).otherwise(STEP_BACK_NS)
    return pl.col("done_ns").cum_max().over("worker") - pl.col("done_ns") > late_ns


def _longest_ns(case: Case) -> int:
    return int((case.load.timeout_s + OVERTIME_S) * 1e9)


def _impossible(case: Case) -> pl.Expr:
    intended, sent, first, done = (pl.col(f"{name}_ns") for name in ("intended", "sent", "first_byte", "done"))
    early = (sent < intended - EARLY_NS) | (first < sent) | (done < sent) | (done < first)
    return early.fill_null(value=False) | (done - sent > _longest_ns(case))


def _fault_times(case: Case) -> Iterator[str]:
    started, confirmed = case.timeline.first_ns(EventKind.FAULT_START), case.timeline.first_ns(EventKind.FAULT_CONFIRMED)
    if started is None:
        return
    if len(case.arrivals) and not case.arrivals.t_ns[0] <= started <= case.arrivals.stop_ns:
        yield "the fault lies outside the time of the load"
    if confirmed is not None and confirmed < started:
        yield f"the fault was confirmed {seconds((started - confirmed) / 1e9)} before it began"


def _clocks(case: Case) -> Iterator[str]:
    arrivals, clocks = case.arrivals, case.clocks
    if arrivals.off_schedule:
        yield f"{count(arrivals.off_schedule, 'row is', 'rows are')} not at the scheduled time: a clock jumped"
    if len(arrivals) and math.isnan(arrivals.start_error_s):
        yield "the start of the load was not recorded"
    elif arrivals.start_error_s > LARGEST_CLOCK_ERROR_S:
        yield f"its requests begin {seconds(arrivals.start_error_s)} apart from the recorded start of the load: a clock jumped"
    if math.isnan(clocks.error_s):
        yield "no process recorded its clock" if not clocks.furthest[0] else f"the clock offset of {clocks.furthest[0]} is not a number"
    elif clocks.error_s > LARGEST_CLOCK_ERROR_S:
        yield f"the clocks of {clocks.furthest[0]} and {clocks.furthest[1]} disagree by {seconds(clocks.error_s)}"


def _plan(case: Case) -> Iterator[str]:
    timers = case.run.plan.timers
    for name, value in (("hold_s", timers.hold_s), ("deadline_s", timers.deadline_s), ("baseline_s", timers.baseline_s)):
        if not 0 < value < math.inf:
            yield f"the plan's {name} is {plain(value)}"
