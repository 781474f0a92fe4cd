"""Latency after recovery against the baseline's: a check of its own, never part of recovery."""

from __future__ import annotations

import math

import numpy as np

from history.kinds import REQUESTS
from verdict.case import Case
from verdict.inputs.attempts import Floats
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.window import before

QUANTILE = 0.95


@measure("ms", REQUESTS)
def baseline_p95(case: Case) -> Value:
    """95th percentile of what users waited in the baseline; a request without a right answer counts as infinite.

    Counted from when the user asked to the last byte, or to the first token of a streamed answer. Source: requests.
    """
    return _p95(baseline_latency(case), "there was no baseline")


@measure("ms", REQUESTS)
def recovered_p95(case: Case) -> Value:
    """95th percentile of what users waited in the hold after recovery, as for baseline_p95. Source: requests."""
    if case.recovery is None:
        return NO_FAULT
    return _p95(recovered_latency(case), "users were not seen to be served again for a whole hold")


@measure("ratio", REQUESTS)
def p95_ratio(case: Case) -> Value:
    """recovered_p95 / baseline_p95. Source: requests."""
    before, after = baseline_p95(case), recovered_p95(case)
    if before.value is None or after.value is None:
        return after if after.value is None else before
    if not 0 < before.value < math.inf:
        return Value(None, "more than 5 % of the baseline's requests had no right answer" if before.value else "the baseline's p95 is 0")
    return Value(after.value / before.value)


def _p95(waited: Floats, none: str) -> Value:
    if not len(waited):
        return Value(None, none)
    p95 = quantile(waited)
    return Value(p95, "" if math.isfinite(p95) else "more than 5 % of the requests had no right answer")


def baseline_latency(case: Case) -> Floats:
    """Return the latencies of the baseline (ms), up to one of its longest before the fault: later, only short ones had time to end."""
    found = before(case)
    latency_ms = case.arrivals.latency_ms[found]
    longest_ms = latency_ms[np.isfinite(latency_ms)].max(initial=0.0)
    ended_ns = (case.recovery.fault_ns if case.recovery else case.arrivals.stop_ns) - int(longest_ms * 1e6)
    return np.asarray(latency_ms[case.arrivals.t_ns[found] < ended_ns])


def recovered_latency(case: Case) -> Floats:
    """Return the latencies of the hold after recovery (ms)."""
    recovery = case.recovery
    if recovery is None or recovery.recovered_ns is None:
        return np.empty(0)
    return case.arrivals.latency_ms[case.arrivals.between(recovery.recovered_ns, recovery.end_ns)]


def quantile(values: Floats) -> float:
    """Return the 95th percentile as an observed value: no interpolation towards infinity."""
    return float(np.quantile(values, QUANTILE, method="higher"))


def spread(values: Floats) -> float:
    """Return half the width of the 95 % confidence interval of :func:`quantile`, relative to it (order statistics)."""
    n = len(values)
    reach = 1.96 * np.sqrt(n * QUANTILE * (1 - QUANTILE))
    ranks = max(0, int(n * QUANTILE - reach)), min(n - 1, int(np.ceil(n * QUANTILE + reach)))
    low, high = np.partition(values, ranks)[list(ranks)]
    return float((high - low) / 2 / quantile(values)) if math.isfinite(high) else math.inf
