"""A role that is built well, to start from: each test says only what is weak."""

from __future__ import annotations

from history.layout import DisruptionLimit, Layout, Probe, RoleLayout

WELL = RoleLayout(
    role="inference", where="Deployment inference", namespace="ml-serving", wanted=3, ready=3, nodes=3, zones=("a", "b", "c"), serves=True,
    readiness=Probe(asks="HTTP /health", period_s=1, failures=2), liveness=Probe(asks="HTTP /health", period_s=5),
    startup=Probe(asks="HTTP /health", period_s=1, failures=120), pre_stop=True, memory_limit=True, toleration_s=20, start_s=2, load_s=12,
    disruption=(DisruptionLimit(name="inference", healthy=2, of=3),), budgets={"rto": 60, "capacity_rto": 90},
)  # fmt: skip
GATEWAY = WELL.model_copy(update={"role": "gateway", "where": "Deployment gateway", "budgets": {}})


def role(**weak: object) -> RoleLayout:
    """Return the role, with other values for what is weak."""
    return WELL.model_copy(update=weak)


def layout(*roles: RoleLayout, **changes: object) -> Layout:
    """Return a platform of these roles; none: of the one that is built well."""
    return Layout(roles=roles or (WELL,), schedulers=3).model_copy(update=changes)
