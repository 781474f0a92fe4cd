"""Risks in where replicas are: one of them, one node, one zone, and what holds them there."""

from __future__ import annotations

from history.layout import Layout, RoleLayout
from runner.risks.registry import NODE_LOST, POD_LOST, ZONE_LOST, Found, after_node, replaced, risk
from verdict.words import seconds

LEASE_S = 11.0  # a lost node's last lease may be so old
SPREAD = "spec.template.spec.topologySpreadConstraints"


@risk(*POD_LOST)
def one_replica(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find a single point of failure: nobody serves while the only replica is replaced."""
    if role.wanted != 1:
        return None
    return Found("spec.replicas", "It has one replica, a single point of failure.", f"Without it nobody serves for {replaced(role)}.")


@risk(*NODE_LOST)
def one_node(layout: Layout, role: RoleLayout) -> Found | None:
    """Find a single point of failure: all replicas stand on one node."""
    if role.ready <= 1 or role.nodes != 1:
        return None
    says = f"All {role.ready} ready replicas stand on one node, a single point of failure."
    return Found(SPREAD, says, f"Without that node nobody serves for {after_node(layout, role)}.")


@risk(*ZONE_LOST)
def one_zone(layout: Layout, role: RoleLayout) -> Found | None:
    """Find a single point of failure: all replicas stand in one zone."""
    if role.ready <= 1 or role.nodes <= 1 or role.zones is None or len(role.zones) != 1:
        return None
    says = f"All {role.ready} ready replicas stand in zone {role.zones[0]}, a single point of failure."
    return Found(SPREAD, says, f"Without that zone nobody serves for {after_node(layout, role)}, if another has room.")


@risk(*NODE_LOST)
def pinned(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find a replica that may run on one node only: it is back only with that node."""
    if not role.pinned:
        return None
    more = f" and {len(role.pinned) - 1} more" if role.pinned[1:] else ""
    says = f"A replica may run on one node only ({role.pinned[0]}{more})."
    field = "spec.volumeClaimTemplates" if "PersistentVolumeClaim" in role.pinned[0] else "spec.template.spec.affinity"
    return Found(field, says, "If that node is lost it is back only with the node, however much room others have.")


@risk(*NODE_LOST)
def late_eviction(layout: Layout, role: RoleLayout) -> Found | None:
    """Find tolerations against budgets: pods stay on a lost node for longer than a budget of the class allows."""
    name = next((name for name in ("capacity_rto", "rto") if name in role.budgets), "")
    least_s = max(0.0, layout.node_monitor_s - LEASE_S) + role.toleration_s + role.first_check_s
    if not name or least_s <= role.budgets[name] or role.of_each_node:
        return None
    stays = "for ever" if role.toleration_s == float("inf") else f"for {seconds(role.toleration_s)}"
    back = "is never back by itself" if role.toleration_s == float("inf") else f"is back after {seconds(least_s)} at the earliest"
    says = f"Its pods stay bound to a lost node {stays}."
    costs = f"What a lost node served {back}; budget {name} of its class is {seconds(role.budgets[name])}."
    return Found("spec.template.spec.tolerations[].tolerationSeconds", says, costs)
