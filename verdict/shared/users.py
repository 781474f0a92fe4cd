"""The fault as users felt it."""

from __future__ import annotations

import numpy as np

from history.kinds import EVERY, REQUESTS
from verdict.case import Case
from verdict.shared.registry import NO_FAULT, Value, measure
from verdict.shared.window import bad_of_fault

MONTH_S = 30 * 86_400
NOT_BACK = "not seen to be back for a whole hold"


@measure("s", EVERY)
def rto(case: Case) -> Value:
    """From t_fault until users were served again for good: the end of the last outage that began before healing. 0 if there was none.

    t_fault is stamped just before the effect of the first action; in a null control, when observation began. The value is a lower bound
    ("more than") if users were not served again before the platform was healed, or if nobody watched for a whole hold after that. After a
    hang it reads early, by at most one latency limit of the SLO: requests that arrive so shortly before its end are answered in time. Its
    resolution stands beside it. For a training job it is rto_train. Source: requests, or the training ledger.
    """
    if case.recovery is None:
        return NO_FAULT
    known = case.recovery.rto_s
    return (
        Value(case.recovery.at_least_s, f"{'users were' if case.training is None else 'training was'} {NOT_BACK}", censored=True)
        if known is None
        else Value(known)
    )


@measure("s", EVERY)
def rto_resolution(case: Case) -> Value:
    """How finely the RTO can be read: 1 / arrival rate + send lag p99 + the largest clock error. Source: requests, clock events."""
    return Value(case.resolution_s)


@measure("s", REQUESTS)
def time_to_impact(case: Case) -> Value:
    """From t_fault to the first bad arrival of the first outage. Source: requests."""
    if case.recovery is None:
        return NO_FAULT
    outages = case.recovery.outages
    return Value(case.after_fault_s(outages[0].start_ns)) if outages else Value(None, "there was no outage")


@measure("s", REQUESTS)
def outage(case: Case) -> Value:
    """How long users were not served: each outage from its first bad arrival to the first good one after its last. Source: requests."""
    if case.recovery is None:
        return NO_FAULT
    spans = case.recovery.outages
    ends = [case.recovery.watched_ns if span.end_ns is None else min(span.end_ns, case.recovery.watched_ns) for span in spans]
    total = sum(end - span.start_ns for span, end in zip(spans, ends, strict=True)) / 1e9
    return Value(total, censored=bool(spans) and case.recovery.recovered_ns is None)


@measure("outages", REQUESTS)
def relapses(case: Case) -> Value:
    """How many more outages followed the first before healing. Source: requests."""
    return NO_FAULT if case.recovery is None else Value(max(0, len(case.recovery.outages) - 1))


@measure("requests", REQUESTS)
def residue(case: Case) -> Value:
    """Bad requests after t_fault that are part of no outage: too few and too far apart to break the SLO. Source: requests."""
    return NO_FAULT if case.recovery is None else Value(case.recovery.residue)


@measure("ratio", REQUESTS)
def worst_1s(case: Case) -> Value:
    """Smallest share of good requests in any second of the fault window that begins with an arrival. Source: requests."""
    return _worst(case, 1)


@measure("ratio", REQUESTS)
def worst_10s(case: Case) -> Value:
    """Smallest share of good requests in any ten seconds of the fault window that begin with an arrival. Source: requests.

    With worst_1s and worst_60s it tells one long outage from flicker (windowed user-uptime: Hauer et al., NSDI 2020).
    """
    return _worst(case, 10)


@measure("ratio", REQUESTS)
def worst_60s(case: Case) -> Value:
    """Smallest share of good requests in any sixty seconds of the fault window that begin with an arrival. Source: requests."""
    return _worst(case, 60)


@measure("s", REQUESTS)
def slo_debt(case: Case) -> Value:
    """How far service fell below the SLO, summed over the fault window: the integral of max(0, SLO ratio - share of good requests) dt.

    Shares are taken over whole seconds after t_fault; a second in which nobody asked counts as 0. One second of total outage counts as the
    SLO's ratio, e.g. 0.99 s. (The area of the resilience triangle.) Source: requests.
    """
    if case.recovery is None:
        return NO_FAULT
    second = (_window_times(case) - case.recovery.fault_ns) // 1_000_000_000
    asked = np.bincount(second)
    served = np.bincount(second, weights=window(case))[asked > 0] / asked[asked > 0]
    return Value(float(np.maximum(0.0, case.slo.ratio - served).sum()))


@measure("ratio", REQUESTS)
def error_budget_burn(case: Case) -> Value:
    """Bad requests of the fault (requests_bad) as a share of all that the SLO allows in 30 days at the offered rate.

    bad / ((1 - ratio) x rate x 30 d): 17 s of total outage under 99.9 % burn 0.66 %. Source: requests.
    """
    allowed = (1 - case.slo.ratio) * case.audit.summary.offered_rps * MONTH_S
    if allowed <= 0:
        return Value(None, "an SLO of 100 % has no error budget" if case.audit.summary.offered_rps else "nothing was offered")
    return Value(float(len(bad_of_fault(case)) / allowed)) if case.recovery else NO_FAULT


@measure("s", REQUESTS)
def heal_impact(case: Case) -> Value:
    """How long users were not served in outages that began while the platform was being healed. Never part of the RTO. Source: requests."""
    if case.recovery is None:
        return NO_FAULT
    spans = case.recovery.while_healing
    return Value(sum((span.end_ns or case.arrivals.stop_ns) - span.start_ns for span in spans) / 1e9)


def window(case: Case) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which requests asked from the fault until one hold after recovery were good, in order of time (empty: no fault)."""
    return case.arrivals.good[_window_slice(case)]


def _window_times(case: Case) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return case.arrivals.t_ns[_window_slice(case)]


def _window_slice(case: Case) -> slice:
    return case.arrivals.between(case.recovery.fault_ns, case.recovery.end_ns) if case.recovery else slice(0, 0)


def _worst(case: Case, width_s: int) -> Value:
    if case.recovery is None:
        return NO_FAULT
    t_ns, good = _window_times(case), window(case)
    whole = int(np.searchsorted(t_ns, case.recovery.end_ns - width_s * 1_000_000_000, side="right"))
    if not whole:
        return Value(None, f"the fault window is shorter than {width_s} s")
    good_before = np.concatenate(([0], np.cumsum(good)))
    first, last = np.arange(whole), np.searchsorted(t_ns, t_ns[:whole] + width_s * 1_000_000_000)
    return Value(float(((good_before[last] - good_before[first]) / (last - first)).min()))
