"""Observing: until every workload has recovered and held, or until the deadline. No fixed sleep, no verdict."""

from __future__ import annotations

import time

from history.clock import now_ns
from history.plan import Phase
from runner.run.context import Context
from runner.run.phases.confirm import AGAIN_S, look_again
from runner.run.phases.hypothesis import evaluate

PERIOD_S = 0.5
HYPOTHESIS_S = 2.0


def observe(context: Context) -> None:
    """Watch until recovered and held, capacity too if it is budgeted, and the hypothesis holds again; at most until the plan's deadline.

    It lasts as long as the plan's ``watch_s`` at least: what fills slowly, a queue or a cache, is felt late.

    Raises:
        WorkloadFailed: a workload ended.

    """
    timers = context.run.plan.timers
    began_ns = now_ns()
    zero_ns = context.log.t_fault_ns or began_ns
    next_s = again_s = time.monotonic()
    while now_ns() - zero_ns < timers.deadline_s * 1e9:
        context.stop.wait(PERIOD_S)
        context.check_workloads()
        if time.monotonic() >= again_s:
            again_s = time.monotonic() + AGAIN_S
            look_again(context)
        back = recovered(context, zero_ns, context.t_confirmed_ns or began_ns)
        if back or time.monotonic() >= next_s:
            next_s = time.monotonic() + HYPOTHESIS_S
            if _steady(context) and back and now_ns() - zero_ns >= timers.watch_s * 1e9:
                return
    _steady(context)


def _steady(context: Context) -> bool:
    """Evaluate the hypothesis once more; the last evaluation is what Chaos Toolkit calls "after"."""
    steady = evaluate(context, Phase.OBSERVE)
    context.toolkit_journal.during.append(steady.entry)
    context.toolkit_journal.after = steady.entry
    return steady.met


def recovered(context: Context, zero_ns: int, not_before_ns: int) -> bool:
    """Tell whether there is nothing left to wait for."""
    plan = context.run.plan
    for progress in context.progress.values():
        progress.update()
        if not progress.recovered(zero_ns, not_before_ns, plan.timers.hold_s):
            return False
    return not any(one.budgets.needs_capacity() for one in plan.workloads) or not lacking(context)


def lacking(context: Context) -> list[str]:
    """Return the roles that have fewer replicas that can serve than their controllers want now, and than can be back."""
    plan, seen = context.run.plan, context.observations
    wanted = plan.replicas_desired | {role: count for role, count in seen.desired.items() if role in plan.replicas_desired}
    return [role for role, want in wanted.items() if seen.serving(role) < want - plan.replicas_bound.get(role, 0)]
