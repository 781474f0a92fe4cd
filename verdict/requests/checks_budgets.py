"""Checks against budgets: ``rto``, ``availability``, ``rpo_requests``, ``latency``, ``capacity_rto``. What has no budget is not checked."""

from __future__ import annotations

import math

from history.kinds import REQUESTS
from history.result import Check, Verdict
from verdict.case import Case
from verdict.inputs.attempts import Bools
from verdict.inputs.recovery import Recovery
from verdict.requests.answers import answers_acknowledged, answers_unchecked, requests_lost
from verdict.requests.latency import QUANTILE, baseline_latency, p95_ratio, recovered_latency, spread
from verdict.shared.capacity import capacity_of
from verdict.shared.platform import capacity_value
from verdict.shared.recovery_time import checked_rto, over, too_close
from verdict.shared.registry import Role, check
from verdict.shared.results import NOTHING_INJECTED, Figures, failed, inconclusive, left, passed
from verdict.shared.users import window
from verdict.statistics import arrivals_needed
from verdict.words import count, percent, plain, seconds

LARGEST_RESOLUTION = 0.05
"""A figure that cannot be read within this share of its budget supports no claim about it."""


@check(REQUESTS, Role.RESTING, budget="rto_s", felt=True)
def rto(case: Case) -> Check | None:
    """Check the time until users were served again against its budget."""
    return checked_rto(case, _served_again, _not_recovered, _rto_doubt)


def _served_again(case: Case, recovery: Recovery) -> str:
    fine_s = case.resolution_s
    if not recovery.outages:
        after = "" if case.run.plan.experiment.fault == "none" else " after the fault"
        return f"Users noticed no outage{after} (RTO 0 s ± {seconds(fine_s)})"
    relapses = len(recovery.outages) - 1
    again = f" for good, after {count(relapses, 'relapse')}," if relapses else ""
    return f"Users were served again{again} {seconds(recovery.rto_s or 0.0)} ± {seconds(fine_s)} after the fault"


def _rto_doubt(case: Case, recovery: Recovery, budget_s: float) -> str:
    """Return why the RTO supports no claim although it is not over its budget; empty if it does."""
    ratio, hold_s = case.slo.ratio, case.run.plan.timers.hold_s
    held = case.arrivals.between(recovery.end_ns - recovery.hold_ns, recovery.end_ns)
    arrived, needed = held.stop - held.start, arrivals_needed(ratio)
    if not case.resolution_s <= LARGEST_RESOLUTION * budget_s:
        return f"It cannot be read within 5 % of the budget ({seconds(LARGEST_RESOLUTION * budget_s)}): raise the request rate."
    if arrived < needed:
        enough_s = needed / case.audit.summary.offered_rps
        return (
            f"Only {count(arrived, 'request')} arrived in the hold of {plain(hold_s)}, {needed:,} are needed to say that {percent(ratio)} "
            f"are served: raise the rate, or hold for {seconds(enough_s)}."
        )
    return too_close(case, recovery, budget_s)


def _not_recovered(case: Case, recovery: Recovery, figures: Figures, budget: str) -> Check:
    least, watched = seconds(recovery.at_least_s), seconds(case.after_fault_s(recovery.watched_ns))
    if over(figures):
        return failed("rto", f"Users were not served again within {least} after the fault; {budget}.", **figures)
    said = (
        f"Users were still not served {least} after the fault, and were watched for {watched} only, too short to see a recovery that holds"
    )
    if not recovery.outages:
        hold = f"a hold of {plain(case.run.plan.timers.hold_s)} after the fault was seen"
        said = f"Users were watched for {watched} after the fault, which is less than {hold}"
    return inconclusive("rto", f"{said}; {budget}.", **figures)


@check(REQUESTS, Role.RESTING, budget="availability", felt=True)
def availability(case: Case) -> Check | None:
    """Check the share of good requests in the fault window against its budget."""
    budget, recovery, good = case.workload.budgets.availability, case.recovery, window(case)
    if budget is None:
        return None
    if recovery is None or not len(good):
        return inconclusive(
            "availability", NOTHING_INJECTED if recovery is None else "Nobody asked for anything in the fault window.", budget=budget
        )
    share = float(good.mean())
    margin = 1 - (1 - share) / (1 - budget) if budget < 1 else None
    figures = Figures(measured=share, budget=budget, unit="ratio", margin=margin, resolution=1 / len(good))
    lasted = seconds((recovery.end_ns - recovery.fault_ns) / 1e9)
    said = (
        f"{percent(share)} of {count(len(good), 'request')} in the {lasted} from the fault on were good; the budget is {percent(budget)}."
    )
    if share < budget and not _may_still_be_met(case, recovery, good, budget):
        return failed("availability", said, **figures)
    doubt = _availability_doubt(recovery, good, budget)
    return inconclusive("availability", f"{said} {doubt}", **figures) if doubt else passed("availability", said, **figures)


def _availability_doubt(recovery: Recovery, good: Bools, budget: float) -> str:
    needed = arrivals_needed(budget)
    if recovery.recovered_ns is None:
        if good.mean() < budget:
            return "But the window was cut short of a hold, and what it lacks could have made up for that."
        return "But users were not seen to be served again, so the window has no end."
    return f"That needs {needed:,} requests to say: raise the rate, or hold longer." if len(good) < needed else ""


def _may_still_be_met(case: Case, recovery: Recovery, good: Bools, budget: float) -> bool:
    """Tell whether a window that is too short would meet ``budget`` if what it lacks had been good throughout.

    It is too short if it was cut short of the hold, or has fewer requests than a pass needs.
    """
    whole = float(max(len(good), arrivals_needed(budget)))
    if recovery.recovered_ns is None:
        lasted_s = (recovery.end_ns - recovery.fault_ns) / 1e9
        whole = max(whole, len(good) * case.run.plan.timers.hold_s / max(lasted_s, 1e-9))
    return len(good) - int(good.sum()) <= (1 - budget) * whole


@check(REQUESTS, Role.OWN, budget="rpo_requests")
def rpo_requests(case: Case) -> Check | None:
    """Check the number of acknowledged answers that were lost against its budget."""
    budget = case.workload.budgets.rpo_requests
    if budget is None:
        return None
    lost, served = requests_lost(case).value, answers_acknowledged(case).value
    if lost is None or served is None:
        return inconclusive("rpo_requests", NOTHING_INJECTED, budget=budget, unit="answers")
    figures = Figures(measured=lost, budget=budget, unit="answers", margin=left(lost, budget))
    gone = f"{count(int(lost), 'acknowledged answer was', 'acknowledged answers were')} lost (complete, with a status of 2xx, and wrong)"
    if lost > budget:
        return failed("rpo_requests", f"{gone}; the budget is {budget}.", **figures)
    doubt = _rpo_doubt(case, served)
    if doubt:
        return inconclusive("rpo_requests", doubt, **figures)
    kept = gone if lost else "No acknowledged answer was lost"
    return passed("rpo_requests", f"{kept}: {int(served - lost):,} were complete and right; the budget is {budget}.", **figures)


def _rpo_doubt(case: Case, served: float) -> str:
    """Return why nothing can be said about lost answers; empty if something can."""
    unchecked = answers_unchecked(case).value
    if not served:
        return "No answer was acknowledged after the fault, so none could be kept or lost."
    if unchecked:
        whose = f"{int(unchecked):,} of {count(int(served), 'acknowledged answer')}"
        return f"{whose} could not be checked, because the right answer is not known: give every prompt its completion."
    return ""


@check(REQUESTS, Role.RESTING, budget="p95_ratio")
def latency(case: Case) -> Check | None:
    """Check p95 latency after recovery over that of the baseline against its budget."""
    budget = case.workload.budgets.p95_ratio
    if budget is None:
        return None
    before, after, ratio = baseline_latency(case), recovered_latency(case), p95_ratio(case)
    needed = arrivals_needed(QUANTILE)
    if case.recovery is not None and case.recovery.recovered_ns is None:
        return inconclusive("latency", "Users were not seen to be served again, so there is no latency after recovery.", budget=budget)
    if min(len(before), len(after)) < needed:
        short = f"{len(before):,} requests before and {len(after):,} after are too few to compare p95 latencies, {needed} are needed"
        return inconclusive("latency", f"{short}.", budget=budget)
    if ratio.value is None:
        return inconclusive("latency", f"The p95 latencies cannot be compared: {ratio.sentence}.", budget=budget)
    if math.isinf(ratio.value):
        return failed("latency", "More than 5 % of the requests after recovery had no right answer, so p95 has no bound.", budget=budget)
    fine = ratio.value * (spread(before) + spread(after))
    figures = Figures(measured=ratio.value, budget=budget, unit="ratio", margin=left(ratio.value, budget), resolution=fine)
    said = f"After recovery the p95 latency was {ratio.value:.2f} times that of the baseline; the budget is {budget:g} times."
    return passed("latency", said, **figures) if ratio.value <= budget else failed("latency", said, **figures)


@check(REQUESTS, Role.RESTING, budget="capacity_rto_s")
def capacity_rto(case: Case) -> Check | None:
    """Check the time until all replicas were ready again against its budget. What counts as ready: see the measurement full_capacity."""
    budget_s = case.workload.budgets.capacity_rto_s
    if budget_s is None:
        return None
    capacity, fine_s = capacity_of(case), case.clocks.error_s
    value = capacity_value(case, capacity)
    if value.value is None:
        return inconclusive("capacity_rto", f"It is not known when full capacity was back: {value.sentence}.", budget=budget_s, unit="s")
    share = left(value.value, budget_s)
    figures = Figures(measured=value.value, budget=budget_s, unit="s", margin=share, resolution=fine_s, censored=value.censored)
    replicas = f"{capacity.desired} of {count(capacity.desired, 'replica')} {capacity.ready_in_words}"
    budget = f"the budget is {plain(budget_s)}"
    if value.censored:
        said = f"Full capacity ({replicas}) was not back within {seconds(value.value)} after the fault; {budget}."
        return failed("capacity_rto", said, **figures) if value.value > budget_s else inconclusive("capacity_rto", said, **figures)
    if not capacity.dropped:
        return passed("capacity_rto", f"All replicas stayed {capacity.ready_in_words}; {budget}.", **figures)
    said = f"Full capacity ({replicas}) was back {seconds(value.value)} after the fault; {budget}."
    return Check(name="capacity_rto", verdict=Verdict.PASS if value.value <= budget_s else Verdict.FAIL, sentence=said, **figures)
