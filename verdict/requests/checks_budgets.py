"""Checks against budgets: ``latency``, ``capacity_rto``. What has no budget is not checked."""

from __future__ import annotations

import math

from history.kinds import REQUESTS
from history.result import Check, Verdict
from verdict.case import Case
from verdict.requests.latency import QUANTILE, baseline_latency, p95_ratio, recovered_latency, spread
from verdict.shared.capacity import capacity_of
from verdict.shared.platform import capacity_value
from verdict.shared.registry import Role, check
from verdict.shared.results import Figures, failed, inconclusive, left, passed
from verdict.statistics import arrivals_needed
from verdict.words import count, plain, seconds


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
    budget = f"the budget is {plain(budget_s)}{_not_counted(case)}"
    if value.censored:
        said = f"Full capacity ({replicas}) was not back within {seconds(value.value)} after the fault; {budget}."
        return failed("capacity_rto", said, **figures) if value.value > budget_s else inconclusive("capacity_rto", said, **figures)
    if not capacity.dropped:
        return passed("capacity_rto", f"The replicas stayed {capacity.ready_in_words}; {budget}.", **figures)
    said = f"Full capacity ({replicas}) was back {seconds(value.value)} after the fault; {budget}."
    return Check(name="capacity_rto", verdict=Verdict.PASS if value.value <= budget_s else Verdict.FAIL, sentence=said, **figures)


def _not_counted(case: Case) -> str:
    """Say which replicas full capacity leaves out."""
    bound = case.run.plan.replicas_bound
    names = ", ".join(f"{number} of {role}" for role, number in sorted(bound.items()))
    return f". Not counted, as they may run only on what was lost: {names}" if bound else ""
