"""Risks in how a container is watched and bounded: probes that are missing or too impatient, memory without a limit."""

from __future__ import annotations

from history.layout import Layout, RoleLayout
from runner.risks.registry import HUNG, OUT_OF_MEMORY, POD_LOST, Found, risk
from verdict.words import seconds

CONTAINER = "spec.template.spec.containers[]"


@risk(*POD_LOST)
def no_readiness_probe(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find replicas that are called Ready as soon as their container runs."""
    if not role.serves or role.readiness is not None:
        return None
    says = "It has no readiness probe: Kubernetes calls it Ready as soon as its container runs."
    costs = "A new replica is sent requests while it still loads, and a broken one for as long as it runs."
    return Found(f"{CONTAINER}.readinessProbe", says, costs)


@risk(*HUNG)
def no_liveness_probe(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find that a process that hangs is never started again."""
    if not role.serves or role.liveness is not None:
        return None
    costs = "A process that hangs, and does not end, stays so until somebody deletes its pod."
    return Found(f"{CONTAINER}.livenessProbe", "It has no liveness probe.", costs)


@risk(*POD_LOST)
def impatient_liveness(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find a liveness probe without a startup probe that ends a replica which loads for longer than the probe allows.

    Loading was measured until replicas were ready. Where readiness asks something else, they may be alive before: that is said, and nothing
    is found if they were ready later than liveness allows, for then they were alive before indeed.
    """
    if role.liveness is None or role.startup is not None or role.load_s < role.liveness.allows_s / 2:
        return None
    apart = role.readiness is not None and role.readiness.asks != role.liveness.asks
    if apart and role.load_s >= role.liveness.allows_s:
        return None
    allowed = seconds(role.liveness.allows_s)
    until = " until it was ready, which asks something else: it may be alive before" if apart else ""
    loaded = f"there is no startup probe, and loading took {seconds(role.load_s)}{until}"
    says = f"Its liveness probe allows {allowed} from the container's start, {loaded}."
    costs = f"A start that takes longer than {allowed} is killed and begun again: it may never be ready."
    return Found(f"{CONTAINER}.startupProbe", says, costs)


@risk(*OUT_OF_MEMORY)
def no_memory_limit(_layout: Layout, role: RoleLayout) -> Found | None:
    """Find that a leak takes the node's memory instead of its own."""
    if role.memory_limit:
        return None
    costs = "A leak takes its node's memory, and the kernel or the kubelet ends whoever comes first: neighbours too."
    return Found(f"{CONTAINER}.resources.limits.memory", "A container of it has no limit of memory.", costs)
