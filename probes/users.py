"""What users feel, from the load's own record while it is being written.

Requests count from when the user asked. One without a row that is older than the SLO allows is bad, so a load that writes nothing more
looks bad, not fine. The verdict reads the closed record again; these probes only gate the run.
"""

from __future__ import annotations

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.reader import read_table
from history.schema import EventKind, Outcome
from history.workloads import Slo
from probes.events import first_ns
from safety import active_run
from safety.active_run import ActiveRun

WRITTEN_MS = 500.0  # the load hands its rows over several times a second
NEARLY_ALL = 0.95


def good_ratio(window_s: float = 10.0) -> float:
    """Return the share of good requests among those whose end is known, asked in the latest ``window_s`` seconds that can be judged.

    Raises:
        NoData: nobody asked in that window, or the load recorded nothing of it.

    """
    known = _asked(active_run.require(), window_s).filter(pl.col("good").is_not_null())
    if known.is_empty():
        raise NoData(f"users: no request of the last {window_s:g} s has an end yet; expected some; is the load running?")
    return float(known.select(pl.col("good").cast(pl.Float64).mean()).item())


def p95_latency_ms(window_s: float = 10.0) -> float:
    """Return the 95th percentile of what the SLO limits (ms since the user asked), over right answers of the same window.

    Raises:
        NoData: there is no right answer in that window.

    """
    right = _asked(active_run.require(), window_s).drop_nulls("latency_ms")
    if right.is_empty():
        raise NoData(f"users: no right answer to a request of the last {window_s:g} s; see the load's log")
    return float(right.select(pl.col("latency_ms").quantile(0.95, "higher")).item())


def _asked(run: ActiveRun, window_s: float) -> pl.DataFrame:
    """Return a row for each user who asked in the window: ``good`` (null: not known yet) and ``latency_ms`` (null: no right answer)."""
    load, slo, now = run.plan.requests.load, run.plan.requests.slo, now_ns()
    asked_ns = first_ns(EventKind.LOAD_START) + pl.col("offset_ns")
    schedule = read_table(run.run_dir, "schedule").with_columns(asked_ns.alias("asked_ns")).filter(pl.col("asked_ns") <= now)
    rows = read_table(run.run_dir, "requests")
    until_ns = judged_until_ns(schedule, rows, slo, now)
    asked = schedule.filter(pl.col("asked_ns").is_between(until_ns - int(window_s * 1e9), until_ns))
    rows = rows.filter(pl.col("request_id").is_in(asked["request_id"].implode()))
    if rows.is_empty():
        raise NoData(f"users: the load recorded nothing of the last {window_s:g} s ({asked.height} requests were due); see its log")
    overdue_ns, may_differ = now - int(load.timeout_s * 1e9), run.plan.requests.answers.may_differ > 0
    return judged(asked, rows, slo, overdue_ns=overdue_ns, may_differ=may_differ)


def judged_until_ns(schedule: pl.DataFrame, rows: pl.DataFrame, slo: Slo, now: int) -> int:
    """Return until when (ns UTC) those who asked can be judged.

    Until the first whose end is not known, if that is later than what the SLO lets users wait: a server that answers at once need not be
    watched for as long as a slow one. Where streams go on for longer than the SLO's limits, which are for their first token and for plain
    answers, until as long ago as nearly all of them took.

    Args:
        schedule: ``request_id``, ``asked_ns``, ``stream`` of those who have asked.
        rows: attempts, in the columns of :data:`history.schema.REQUESTS`.
        slo: limits in ms.
        now: the time (ns UTC).

    """
    unknown = schedule.join(rows.select("request_id"), on="request_id", how="anti").select(pl.col("asked_ns").min()).item()
    known_ns = now if unknown is None else int(unknown)
    waited = int((max(slo.latency_ms, slo.ttft_ms or 0.0) + WRITTEN_MS) * 1e6)
    streamed = rows.join(schedule.filter("stream").select("request_id"), on="request_id", how="semi").filter("complete")
    took = streamed.select((pl.col("done_ns") - pl.col("intended_ns")).quantile(NEARLY_ALL, "higher")).item()
    if took is not None:
        waited = max(waited, int(took + WRITTEN_MS * 1e6))
    return max(now - waited, known_ns - 1)


def judged(asked: pl.DataFrame, rows: pl.DataFrame, slo: Slo, overdue_ns: int, *, may_differ: bool = False) -> pl.DataFrame:
    """Judge each scheduled request by the best of its attempts.

    Args:
        asked: ``request_id``, ``asked_ns``, ``stream``; each is older than the SLO's latency.
        rows: attempts, in the columns of :data:`history.schema.REQUESTS`.
        slo: limits in ms.
        overdue_ns: a stream that is still going on is not known yet, unless it was asked for before this.
        may_differ: an answer that differs from the known one is not bad for that.

    """
    stream = pl.col("stream")
    felt_ms = (
        pl.when(stream & pl.lit(slo.ttft_ms is not None)).then(pl.col("first_byte_ns")).otherwise(pl.col("done_ns")) - pl.col("intended_ns")
    ) / 1e6
    limit_ms = pl.when(stream).then(slo.ttft_ms or slo.latency_ms).otherwise(slo.latency_ms)
    steady = ~stream | (pl.col("max_gap_ms") <= slo.max_gap_ms) if slo.max_gap_ms is not None else pl.lit(value=True)
    right = (
        (pl.col("outcome") == Outcome.OK.value)
        & pl.col("status").is_between(200, 299)
        & pl.col("complete")
        & (pl.col("valid").fill_null(value=True) | may_differ)
    ).fill_null(value=False)
    attempts = rows.join(asked.select("request_id", "stream"), on="request_id").with_columns(
        (right & (felt_ms <= limit_ms) & steady).fill_null(value=False).alias("good"), pl.when(right).then(felt_ms).alias("latency_ms")
    )
    best = attempts.group_by("request_id").agg(pl.col("good").any(), pl.col("latency_ms").min())
    going_on = stream & (pl.col("asked_ns") > overdue_ns)
    without_row = pl.when(going_on).then(None).otherwise(pl.lit(value=False))
    return asked.join(best, on="request_id", how="left").with_columns(pl.coalesce("good", without_row).alias("good"))
