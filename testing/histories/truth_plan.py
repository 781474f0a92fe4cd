"""The plan of a synthetic run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from history.plan import Budgets, Plan, ResolvedTarget, Timers
from history.workloads import Mix, Slo
from testing.histories.plain_plan import plain_plan

if TYPE_CHECKING:
    from testing.histories.truth import World

REPLICAS = ("inference-4k2xp", "inference-8wzqm", "inference-tq5rn")
NODES = ("zone-a-gpu", "zone-b-gpu", "zone-c-gpu")
PROBES = ("latency-p95", "ready-replicas")


def plan_of(world: World) -> Plan:
    """Return the plan that ``world`` was run by."""
    aimed = world.fault != "none"
    mix = (Mix(weight=1 - world.streams / 2, max_tokens=(4, 16)), Mix(weight=max(world.streams / 2, 1e-3), stream=True, max_tokens=(4, 16)))
    return plain_plan(
        run_id=f"synthetic-{world.seed}",
        seed=world.seed,
        experiment={"tags": ("I1",), "fault": world.fault, "digest": "0"},
        target={"server": "https://127.0.0.1:6443"},
        slo=Slo(ratio=world.ratio, latency_ms=world.slo_s * 1e3, ttft_ms=world.slo_s * 1e3, max_gap_ms=world.slo_s * 1e3),
        budgets=Budgets(rto_s=world.rto_budget_s, rpo_requests=0, availability=0.05, p95_ratio=1.5, capacity_rto_s=60.0),
        load={
            "rate_rps": world.rate_rps, "arrivals": world.arrivals, "mix": mix, "in_flight_cap": 10_000, "timeout_s": world.timeout_s,
            "workers": world.workers, "horizon_s": world.baseline_s + world.heal_s + 2.0, "seed": world.seed,
        },
        timers=Timers(baseline_s=world.baseline_s, hold_s=world.hold_s, confirm_s=10, deadline_s=300, heal_s=60),
        targets=(ResolvedTarget(kind="Pod", name=REPLICAS[0], namespace="ml-serving", node=NODES[0]),) if aimed else (),
        replicas_desired={"inference": 3},
        evidence=("replica-gone",) if aimed else (),
        hypothesis_probes=PROBES,
    )  # fmt: skip
