"""The check ``rto`` of users' requests: all that it may have been, against its budget."""

from __future__ import annotations

import math

from history.kinds import REQUESTS
from history.result import Check
from verdict.case import Case
from verdict.inputs.goodness import longest_limit_ms
from verdict.inputs.recovery import Recovery
from verdict.requests.interrupted import hurt, unnoticed
from verdict.requests.interval import Interval, interval_of
from verdict.shared.registry import Role, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed
from verdict.statistics import arrivals_needed
from verdict.words import count, interval, number, percent, plain, seconds


@check(REQUESTS, Role.RESTING, budget="rto_s", felt=True)
def rto(case: Case) -> Check | None:
    """Check the time until users were served again against its budget: over it if all of its 95 % interval is, within it likewise."""
    budget_s, recovery, found = case.workload.budgets.rto_s, case.recovery, interval_of(case)
    if budget_s is None:
        return None
    if recovery is None or found is None:
        return inconclusive("rto", NOTHING_INJECTED, budget=budget_s, unit="s")
    figures = _figures(recovery, found, budget_s)
    if recovery.rto_s is None:
        return _not_recovered(case, recovery, figures, f"the budget is {plain(budget_s)}")
    said = f"{_served_again(case, recovery, found)}; the budget is {plain(budget_s)}."
    if found.low_s > budget_s:
        return failed("rto", said, **figures)
    doubt = _doubt(case, recovery, found, budget_s)
    return inconclusive("rto", f"{said} {doubt}", **figures) if doubt else passed("rto", said, **figures)


def _figures(recovery: Recovery, found: Interval, budget_s: float) -> Figures:
    measured_s = recovery.at_least_s if recovery.rto_s is None else max(recovery.rto_s, found.low_s)
    return Figures(
        measured=measured_s,
        budget=budget_s,
        unit="s",
        margin=left(measured_s, budget_s),
        low=found.low_s,
        high=found.high_s if math.isfinite(found.high_s) else None,
        censored=recovery.rto_s is None,
    )


def _served_again(case: Case, recovery: Recovery, found: Interval) -> str:
    rto_s = interval(found.low_s, found.high_s)
    if recovery.outages:
        relapses = len(recovery.outages) - 1
        again = f" for good, after {count(relapses, 'relapse')}," if relapses else ""
        return f"Users were served again{again} {rto_s} after the fault (95 %)"
    lasts_s, allowed_s = case.run.plan.timers.fault_s, longest_limit_ms(case.slo) / 1e3
    if 0 < lasts_s <= allowed_s and not len(hurt(case)):
        short = f"it lasted {seconds(lasts_s)}, and users may wait {seconds(allowed_s)}"
        return f"The fault was masked by the SLO: {short} (RTO {rto_s}, 95 %)"
    return f"{unnoticed(case)} (RTO {rto_s}, 95 %)"


def _doubt(case: Case, recovery: Recovery, found: Interval, budget_s: float) -> str:
    """Return why the RTO supports no claim although it is not over its budget; empty if it does."""
    ratio, hold_s = case.slo.ratio, case.run.plan.timers.hold_s
    held = case.arrivals.between(recovery.end_ns - recovery.hold_ns, recovery.end_ns)
    arrived, needed = held.stop - held.start, arrivals_needed(ratio)
    if not case.audit.summary.offered_rps:
        return "Nothing was offered."
    if arrived < needed:
        enough_s = needed / case.audit.summary.offered_rps
        return (
            f"Only {count(arrived, 'request')} arrived in the hold of {plain(hold_s)}, {needed:,} are needed to say that {percent(ratio)} "
            f"are served: raise the rate, or hold for {seconds(enough_s)}."
        )
    if math.isinf(found.high_s):
        return "What was answered then does not tell that what the fault hit served again: have users connect anew more often."
    return "" if found.high_s <= budget_s else _rate_that_decides(case, recovery, found, budget_s)


def _rate_that_decides(case: Case, recovery: Recovery, found: Interval, budget_s: float) -> str:
    """Say at which rate the interval is so narrow that a budget within it lies outside, if the truth is in the middle of it."""
    room_s = 2 * abs(budget_s - (found.low_s + found.high_s) / 2) if recovery.outages else budget_s
    narrow_s, wide_s = room_s - found.fixed_s, found.high_s - found.low_s - found.fixed_s
    if not narrow_s > wide_s / MOST_TIMES:
        return (
            "That is too close to the budget to call, at any rate: "
            f"{seconds(found.fixed_s)} of it are waiting for an answer, clock error and send lag."
        )
    rate = case.audit.summary.offered_rps * wide_s / narrow_s
    return f"That is too close to the budget to call; about {number(rate, 2)} requests/s would decide."


MOST_TIMES = 100
"""A rate that is so many times what was offered is no advice."""


def _not_recovered(case: Case, recovery: Recovery, figures: Figures, budget: str) -> Check:
    least, watched = seconds(recovery.at_least_s), seconds(case.after_fault_s(recovery.watched_ns))
    if (figures["low"] or 0.0) > (figures["budget"] or 0.0):
        return failed("rto", f"Users were not served again within {least} after the fault; {budget}.", **figures)
    said = (
        f"Users were still not served {least} after the fault, and were watched for {watched} only, too short to see a recovery that holds"
    )
    if not recovery.outages:
        hold = f"a hold of {plain(case.run.plan.timers.hold_s)} after the fault was seen"
        said = f"Users were watched for {watched} after the fault, which is less than {hold}"
    return inconclusive("rto", f"{said}; {budget}.", **figures)
