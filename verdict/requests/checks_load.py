"""Check ``load``: whether the load was offered as planned. If not, what was measured with it supports no verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator

from history.kinds import REQUESTS
from history.result import Check
from history.schema import EventKind
from verdict.case import Case
from verdict.inputs.goodness import tightest_limit_ms
from verdict.shared.registry import Cause, Role, check
from verdict.shared.results import Figures, unless
from verdict.words import count, percent, seconds

LARGEST_CPU_SHARE = 0.8
LEAST_ACHIEVED = 0.99
SIGMAS = 5
"""A Poisson schedule may miss its rate by this many standard deviations."""


@check(REQUESTS, Role.GATE, title="Load as planned", cause=Cause.LOAD)
def load(case: Case) -> Check:
    """Check that the load was offered as planned: rate, send lag, silence, cap, CPU, and that it ran to the end."""
    summary = case.audit.summary
    limit_ms = largest_lag_ms(case)
    cpu = f", generator CPU at most {percent(summary.cpu_share_max)}" if summary.cpu_share_max is not None else ""
    offered = (
        f"The load was offered as planned: {summary.achieved_rps:.4g} of {summary.offered_rps:.4g} requests/s sent, "
        f"send lag p99 {summary.send_lag_p99_ms:.2g} ms (limit {limit_ms:.3g} ms){cpu}."
    )
    lag_ms = summary.send_lag_p99_ms
    figures = Figures(measured=lag_ms, budget=limit_ms, unit="ms", margin=1 - lag_ms / limit_ms)
    return unless("load", breaches(case), "The load was not offered as planned", offered, **figures)


def largest_lag_ms(case: Case) -> float:
    """Return the largest send lag p99 (ms) that leaves latencies trustworthy: 5 ms, or 10 % of the tightest SLO limit."""
    return max(5.0, 0.1 * tightest_limit_ms(case.slo))


def largest_silence_s(case: Case) -> float:
    """Return the longest silence of the generator (s) that cannot pass for an outage: 50 ms, or half of the tightest SLO limit."""
    return max(0.05, 0.5e-3 * tightest_limit_ms(case.slo))


def breaches(case: Case) -> Iterator[str]:
    """Yield every way in which the load was not what was planned."""
    if not len(case.arrivals):
        yield "no request was scheduled"
        return
    yield from _rate(case)
    yield from _timing(case)
    yield from _account(case)


def _rate(case: Case) -> Iterator[str]:
    planned, summary = case.load.rate_rps, case.audit.summary
    expected, scheduled = planned * case.arrivals.span_s, len(case.arrivals) - 1
    if abs(scheduled - expected) > SIGMAS * math.sqrt(expected) + 0.01 * expected + 1:
        yield f"{summary.offered_rps:.4g} requests/s were scheduled, the plan says {planned:g}"
    sent = summary.achieved_rps / summary.offered_rps if summary.offered_rps else 0.0
    if sent < LEAST_ACHIEVED:
        yield f"only {percent(sent)} of the scheduled requests were sent, 99 % are needed"


def _timing(case: Case) -> Iterator[str]:
    summary, limit_ms = case.audit.summary, largest_lag_ms(case)
    if not summary.send_lag_p99_ms <= limit_ms:
        yield f"requests left late: send lag p99 {summary.send_lag_p99_ms:.1f} ms, at most {limit_ms:.3g} ms allowed"
    if case.audit.silence_s > largest_silence_s(case):
        yield f"the generator was silent for {seconds(case.audit.silence_s)} while requests were due"
    heal_ns = case.timeline.first_ns(EventKind.HEAL_START)
    if heal_ns is not None and case.arrivals.stop_ns < heal_ns:
        yield f"it stopped {seconds((heal_ns - case.arrivals.stop_ns) / 1e9)} before healing began"


def _account(case: Case) -> Iterator[str]:
    audit, summary, workers = case.audit, case.audit.summary, case.load.workers
    if audit.started < workers:
        yield f"{audit.started} of {count(workers, 'load worker')} started"
    if audit.stopped < audit.started:
        yield f"{count(audit.started - audit.stopped, 'load worker')} never said when it stopped"
    if audit.audited < max(1, audit.started):
        yield f"{audit.audited} of {count(max(1, audit.started), 'load worker')} gave an account of itself"
    if summary.cap_hits:
        yield f"its cap on requests in flight was hit {count(summary.cap_hits, 'time')}"
    if summary.cpu_share_max is None:
        yield "the generator's CPU was not recorded throughout"
    elif not summary.cpu_share_max <= LARGEST_CPU_SHARE:
        yield f"the generator used {percent(summary.cpu_share_max)} of its core, at most 80 % leave latencies trustworthy"
