"""How well the load was offered: whether what was measured with it can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from history.reader import Run
from history.result import LoadSummary
from history.schema import EventKind, Series
from verdict.inputs.arrivals import Arrivals
from verdict.inputs.attempts import Attempts
from verdict.inputs.timeline import Timeline

STALE_S = 10.0
"""A CPU record with a gap longer than this says nothing about the gap."""


@dataclass(frozen=True, slots=True)
class LoadAudit:
    """The load as it was offered. ``silence_s`` is the longest time in which arrivals were due and nothing was sent."""

    summary: LoadSummary
    silence_s: float
    audited: int  # workers that gave an account of themselves
    started: int
    stopped: int
    claimed_rows: float | None  # rows that the workers say they wrote


def audit_of(run: Run, timeline: Timeline, attempts: Attempts, arrivals: Arrivals) -> LoadAudit:
    """Return how the load was offered, from its rows, its schedule and its own account."""
    lag_ms = attempts.lag_ms[attempts.first & attempts.sent]
    lag_ms = lag_ms[~np.isnan(lag_ms)]
    audits = timeline.all(EventKind.LOAD_AUDIT)
    sent = int(np.count_nonzero(arrivals.sent))
    summary = LoadSummary(
        offered_rps=round(arrivals.rate_rps, 6),
        achieved_rps=round(arrivals.rate_rps * sent / max(len(arrivals), 1), 6),
        send_lag_p99_ms=float(np.percentile(lag_ms, 99)) if len(lag_ms) else 0.0,
        send_lag_max_ms=float(lag_ms.max(initial=0.0)),
        cpu_share_max=_cpu(run, timeline, arrivals),
        cap_hits=int(sum(audit.number("cap_hit") or 0 for audit in audits)),
        scheduled=len(arrivals),
        recorded=int(np.count_nonzero(arrivals.recorded)),
        holes=len(arrivals) - int(np.count_nonzero(arrivals.recorded)),
    )
    claims = [audit.number("recorded") for audit in audits]
    return LoadAudit(
        summary=summary,
        silence_s=max(_unsent_s(arrivals), summary.send_lag_max_ms / 1e3),
        audited=len({audit.object for audit in audits}),
        started=len({event.object for event in timeline.all(EventKind.LOAD_START)}),
        stopped=len({event.object for event in timeline.all(EventKind.LOAD_STOP)}),
        claimed_rows=None if None in claims else sum(claim or 0.0 for claim in claims),
    )


def _cpu(run: Run, timeline: Timeline, arrivals: Arrivals) -> float | None:
    """Return the largest share of one core that any worker used, ``None`` if that is not known for the whole load."""
    accounts = [audit.number("cpu_share_max") for audit in timeline.all(EventKind.LOAD_AUDIT)]
    known = [share for share in accounts if share is not None]
    samples = run.samples.filter((pl.col("series") == Series.LOAD_CPU.value) & pl.col("value").is_finite() & pl.col("t_ns").is_not_null())
    if not known and not _covered(samples["t_ns"], arrivals):
        return None
    sampled: list[float] = samples["value"].to_list()
    return max([*known, *sampled])


def _covered(t_ns: pl.Series, arrivals: Arrivals) -> bool:
    if t_ns.is_empty() or not len(arrivals):
        return False
    edges = np.sort(np.concatenate(([arrivals.t_ns[0], arrivals.t_ns[-1]], t_ns.to_numpy())))
    return bool(np.diff(edges).max() <= STALE_S * 1e9)


def _unsent_s(arrivals: Arrivals) -> float:
    """Return the longest stretch of arrivals that were not sent (s)."""
    lost = np.flatnonzero(np.diff(np.concatenate(([0], (~arrivals.sent).astype(np.int8), [0]))))
    if not len(lost):
        return 0.0
    starts, ends = lost[::2], lost[1::2]
    edge_ns = np.append(arrivals.t_ns, max(arrivals.stop_ns, int(arrivals.t_ns[-1])))
    return float((edge_ns[ends] - arrivals.t_ns[starts]).max()) / 1e9


def resolution_s(audit: LoadAudit, clock_error_s: float) -> float:
    """Return how finely an RTO can be read (s): 1 / arrival rate + send lag p99 + clock error (infinite: nothing was offered)."""
    rate = audit.summary.offered_rps
    return 1 / rate + audit.summary.send_lag_p99_ms / 1e3 + clock_error_s if rate > 0 else math.inf
