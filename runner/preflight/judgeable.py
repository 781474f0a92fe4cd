"""Whether the load can show what the budgets ask of it: a run that can never pass is not begun."""

from __future__ import annotations

import math

from history.errors import TargetRefused
from history.plan import Plan
from history.workloads import RequestsPlan
from verdict.statistics import arrivals_needed, found_after_s, rate_that_finds_rps

LUCK = 3.0  # standard deviations of a Poisson count by which more may be asked than expected


def refuse_blind(plan: Plan) -> None:
    """Refuse a rate at which even a run without a bad request could not keep its budgets.

    Raises:
        TargetRefused: which class of workload, and the rate that its budget needs.

    """
    for workload in plan.workloads:
        if not isinstance(workload, RequestsPlan):
            continue
        wrong = _no_outage(workload) or _no_share(workload)
        if wrong:
            raise TargetRefused(f"target {plan.target.name}: {workload.name} offers {workload.load.rate_rps:g} requests/s, {wrong}")


def _no_outage(workload: RequestsPlan) -> str:
    """Return why no RTO budget could be judged; empty if it can: an outage longer than the budget would show."""
    budget_s, ratio = workload.budgets.rto_s, workload.slo.ratio
    missed_s = found_after_s(ratio, workload.load.rate_rps)
    if budget_s is None or missed_s <= budget_s:
        return ""
    return (
        f"at which an outage must last {missed_s:.3g} s to be found with 95 % (SLO {ratio:.5g}), so its RTO budget of {budget_s:g} s "
        f"(set by: {workload.budgets.source.get('rto_s', 'nobody')}) could never be judged; nothing was injected; "
        f"{_instead(rate_that_finds_rps(ratio, budget_s))}"
    )


def _no_share(workload: RequestsPlan) -> str:
    """Return why no availability could be judged; empty if it can: its window may bring as many requests as its share needs."""
    asked, over_s = workload.budgets.availability, workload.budgets.availability_window_s
    if asked is None:
        return ""
    needed, expected = arrivals_needed(asked), workload.load.rate_rps * over_s
    if expected + LUCK * math.sqrt(expected) >= needed:
        return ""
    return (
        f"{expected:.0f} in the {over_s:g} s of its availability of {asked:.5g} (set by: "
        f"{workload.budgets.source.get('availability', 'nobody')}), which {needed:,} good ones are needed to show; nothing was injected; "
        f"{_rate(needed / over_s)}, or budget it over {math.ceil(needed / workload.load.rate_rps)} s"
    )


def _instead(rate_rps: float) -> str:
    return f"{_rate(rate_rps)}, or raise the budget" if math.isfinite(rate_rps) else "raise the budget: no rate finds an outage that short"


def _rate(rate_rps: float) -> str:
    step = 10.0 ** (math.floor(math.log10(rate_rps)) - 1)
    return f"offer at least {math.ceil(rate_rps / step) * step:.10g} requests/s (rate_rps)"
