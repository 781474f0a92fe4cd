"""Whether the load can show what the budgets ask of it: a run that can never pass is not begun."""

from __future__ import annotations

import math

from history.errors import TargetRefused
from history.plan import Plan
from history.workloads import RequestsPlan
from verdict.statistics import found_after_s, rate_that_finds_rps


def refuse_blind(plan: Plan) -> None:
    """Refuse a rate at which even a run without an outage could not keep its RTO budget: a longer one would not show in it.

    Raises:
        TargetRefused: which class of workload, and the rate that its budget needs.

    """
    for workload in plan.workloads:
        budget_s = workload.budgets.rto_s
        if not isinstance(workload, RequestsPlan) or budget_s is None:
            continue
        ratio, rate = workload.slo.ratio, workload.load.rate_rps
        missed_s = found_after_s(ratio, rate)
        if missed_s > budget_s:
            raise TargetRefused(
                f"target {plan.target.name}: {workload.name} offers {rate:g} requests/s, at which an outage must last {missed_s:.3g} s "
                f"to be found with 95 % (SLO {ratio:.5g}), so its RTO budget of {budget_s:g} s (set by: "
                f"{workload.budgets.source.get('rto_s', 'nobody')}) could never be judged; nothing was injected; "
                f"{_instead(rate_that_finds_rps(ratio, budget_s))}"
            )


def _instead(rate_rps: float) -> str:
    if not math.isfinite(rate_rps):
        return "raise the budget: no rate finds an outage that short"
    step = 10.0 ** (math.floor(math.log10(rate_rps)) - 1)
    return f"offer at least {math.ceil(rate_rps / step) * step:.10g} requests/s (rate_rps), or raise the budget"
