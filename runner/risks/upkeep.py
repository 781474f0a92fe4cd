"""Risks of planned work: disruption budgets that are missing or never allow anything, and pods that leave without a word."""

from __future__ import annotations

from history.layout import Layout, RoleLayout
from runner.risks.registry import DRAINED, Found, replaced, risk
from verdict.words import listed

SEVERAL = 2  # budgets of one pod, which the eviction API refuses


@risk(*DRAINED)
def no_disruption_budget(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find that nothing keeps an upgrade from taking several replicas at once."""
    if role.disruption is None or role.disruption or role.wanted <= 1 or role.of_each_node:  # a drain leaves a DaemonSet's pods
        return None
    says = f"No disruption budget selects its {role.wanted} replicas."
    return Found("PodDisruptionBudget", says, f"Drains may take all of them at once, and nobody serves for {replaced(role)}.")


@risk(*DRAINED)
def drain_never_ends(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find a disruption budget that allows no eviction while all is well: it holds every drain up for ever."""
    if not role.disruption:
        return None
    names, held = listed(one.name for one in role.disruption), [one for one in role.disruption if one.never]
    if len(role.disruption) >= SEVERAL:
        says = f"The disruption budgets {names} both select it, and the API server evicts no pod that has more than one."
    elif held:
        says = f"Disruption budget {held[0].name} wants {held[0].healthy} of {held[0].of} pods healthy: it allows none to go."
    else:
        return None
    costs = "A drain of its nodes never ends: an upgrade waits, or forces its way after its own limit (15 min on EKS)."
    return Found("PodDisruptionBudget spec.maxUnavailable", says, costs)


@risk("faults.pods.leave", *DRAINED)
def no_pre_stop(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find that a replica is told to end while it is still sent requests: endpoints are removed beside that, not before."""
    if not role.serves or role.pre_stop:
        return None
    says = "Its container has no preStop hook, so it is told to end at the moment in which its endpoint begins to be removed."
    costs = "Requests that are routed to it until then are refused, unless it goes on listening by itself: at every rollout and drain."
    return Found("spec.template.spec.containers[].lifecycle.preStop", says, costs)
