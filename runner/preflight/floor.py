"""The floor: how soon full capacity can be back at the earliest, by the platform's own timers. It bounds, it does not predict.

Minima, not means: where a fault may be over in several ways, the quickest counts. How long replicas took to start and to load is no timer
and counts as nothing: the next may be quicker (measured: all back after 7 s where the median load was 13 s). Whoever acts beside
Kubernetes' own controllers, such as a cloud that removes a lost node, may be quicker still.

A fault without an effect (:class:`safety.fault_spec.Effect`) has no floor: a killed engine may be started at once, a drained replica counts
until its successor is ready, and Kubernetes goes on calling a replica Ready that is cut off from all but its kubelet.
"""

from __future__ import annotations

from dataclasses import replace

from history.plan import Floor, Plan
from kube.platform_timers import PlatformTimers
from safety.fault_spec import Effect

ASKED_S = 3.0  # capacity counts from when a green health answer was asked for, and that may have waited so long (measured: 2.5)
LEASE_S = 11.0  # a lost node's last lease may be so old: renewed every 10 s, with 4 % of jitter and a request
LEAST_NODE_MONITOR_S = 40.0  # the smallest default that Kubernetes had; where the setting cannot be read


Way = tuple[float, str]
"""A way to full capacity: how soon it can end (s), and the timers that say so."""


def floor_of(effect: Effect, timers: PlatformTimers, lasts_s: float, waits_s: float | None = None) -> Floor | None:
    """Return the floor under a fault of ``effect`` that ends by itself after ``lasts_s`` (0: not by itself); None if no timer bounds it.

    ``waits_s``: no other replica serves users meanwhile, and an answer may take them so long. It counts from when they asked, and a replica
    may answer before its first check.
    """
    at_s, words = min(_ways(effect, timers, lasts_s))
    served_s = min(_ways(effect, replace(timers, first_check_s=0.0), lasts_s))[0]
    if not 0 < at_s < float("inf"):
        return None
    return Floor(capacity_rto_s=at_s, rto_s=None if waits_s is None else max(0.0, served_s - waits_s), timers=words)


def _ways(effect: Effect, timers: PlatformTimers, lasts_s: float) -> list[Way]:
    ends: Way = (max(0.0, lasts_s - ASKED_S) if lasts_s else float("inf"), f"the fault lasts {lasts_s:g} s, less {ASKED_S:g} s")
    checked_s = timers.first_check_s
    delay = f"the probes' initial delay {checked_s:g} s"
    then = f", then {delay}" if checked_s else ""
    match effect:
        case Effect.POD_DELETED:
            return [(checked_s, delay)]
        case Effect.ENGINE_HUNG:
            return [ends, (timers.liveness_s + checked_s, f"the liveness probe waits {timers.liveness_s:g} s at least{then}")]
        case Effect.DEVICE_LOST:
            return [ends] if timers.restarts else [(0.0, "")]
        case Effect.NODE_LOST:
            grace_s = timers.node_monitor_s if timers.node_monitor_known else min(timers.node_monitor_s, LEAST_NODE_MONITOR_S)
            named = f"node-monitor-grace-period {grace_s:g} s less {LEASE_S:g} s, then the pods' toleration {timers.toleration_s:g} s"
            return [ends, (max(0.0, grace_s - LEASE_S) + timers.toleration_s + checked_s, named + then)]


def below_floor(plan: Plan, role: str) -> list[str]:
    """Return a sentence for each budget that ``role`` cannot keep, since the plan's floor is above it."""
    if plan.floor is None:
        return []
    floors = (("capacity_rto", plan.floor.capacity_rto_s, "have full capacity back"), ("rto", plan.floor.rto_s, "serve users again"))
    bounds = plan.first.budgets
    budgets = {"capacity_rto": bounds.capacity_rto_s, "rto": bounds.rto_s}
    return [
        f"{plan.experiment.id}: budget {name} of {budget_s:g} s (set by: {bounds.source.get(f'{name}_s', 'nobody')}) is below the "
        f"floor: role {role} of target {plan.target.name} cannot {what} before {floor_s:.1f} s ({plan.floor.timers}); expected: a budget "
        "above that; the run goes on; raise the budget or shorten these timers"
        for name, floor_s, what in floors
        if floor_s is not None and (budget_s := budgets[name]) is not None and budget_s < floor_s
    ]
