"""What a run of the report's tests went through, in seconds after the fault, and its plan."""

from __future__ import annotations

from dataclasses import dataclass, field

from history.budgets import Budgets
from history.layout import Weakness
from history.plan import Expect, Floor, Plan, ResolvedTarget, Timers
from history.schema import EventKind
from history.workloads import Mix, Slo
from testing.histories.plain_plan import plain_plan

BASE_NS = 1_790_000_000_000_000_000  # 2026-09-21 14:13:20 UTC; the fault acts BASELINE_S later
BASELINE_S = 20.0
REPLICAS = ("inference-7c9d-4k2xp", "inference-7c9d-8wzqm", "inference-7c9d-tq5rn")
NODES = ("zone-a-gpu", "zone-b-gpu", "zone-c-gpu")

RISKS = (
    Weakness(
        name="late-eviction", role="inference", where="Deployment inference", field="spec.template.spec.tolerations[].tolerationSeconds",
        says="Its pods stay bound to a lost node for 5 min.",
        costs="What a lost node served is back after 339 s at the earliest; budget capacity_rto of its class is 120 s.",
        proved_by=("nodes/powered-off", "serving/node-silent"),
    ),
    Weakness(
        name="no-memory-limit", role="gateway", where="Deployment gateway", field="spec.template.spec.containers[].resources.limits.memory",
        says="A container of it has no limit of memory.",
        costs="A leak takes its node's memory, and the kernel or the kubelet ends whoever comes first: neighbours too.",
    ),
)  # fmt: skip

Detail = dict[str, object]


@dataclass(frozen=True, slots=True)
class Impact:
    """Users were hit in [start_s, end_s) after the fault; ``end_s`` None: until the record ends."""

    start_s: float
    end_s: float | None
    bad_share: float = 1.0
    kind: str = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the platform, in seconds after the fault."""

    t_s: float
    kind: EventKind
    object: str
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one run went through."""

    id: str
    title: str
    hypothesis: str = "users are served within the SLO: 99 % of answers within 500 ms"
    tags: tuple[str, ...] = ("serving", "I1")
    fault: str = "fault"
    action: str = "kill-replica"
    target: str = "Pod/inference-7c9d-4k2xp"
    effect: str = "deleted with grace period 0"
    impacts: tuple[Impact, ...] = ()
    steps: tuple[Step, ...] = ()
    green_s: float = 0.0  # health said green although users were not served
    confirmed_s: float | None = 0.4
    ended_s: float = 1.0
    rto_budget_s: float = 30.0
    observed_s: float = 35.0
    rate_rps: float = 40.0
    floor: Floor | None = None
    expect: Expect | None = None
    send_lag_ms: float = 0.4
    description: str = ""


def ns(t_s: float) -> int:
    """Return ns UTC of ``t_s`` seconds after the fault."""
    return BASE_NS + int((t_s + BASELINE_S) * 1e9)


def plan_of(s: Scenario, trial: int = 1, trials: int = 1) -> Plan:
    """Return the plan of ``s``."""
    kind, _, name = s.target.partition("/")
    hit = ResolvedTarget(kind=kind, name=name, namespace="ml-serving", node=NODES[0], effect=s.effect, ends="reaper Job, 120 s")
    return plain_plan(
        run_id=f"20260921-141320-{s.id.replace('/', '-')}-{trial}",
        trial=trial,
        trials=trials,
        created_ns=BASE_NS - 4_000_000_000,
        experiment={
            "id": s.id, "title": s.title, "description": s.description or f"{s.title} while users ask for completions.", "tags": s.tags,
            "hypothesis": s.hypothesis, "fault": s.fault, "digest": "9f2c4e1ab0",
        },
        target={"namespaces": ("ml-serving", "aftershock"), "fidelity": {"gpu": "substitute device, same symptom as a CUDA error"}},
        slo=Slo(ratio=0.99, latency_ms=500, ttft_ms=250, max_gap_ms=400),
        budgets=Budgets(
            rto_s=s.rto_budget_s, rpo_requests=0, availability=0.65, availability_over_s=30.0, p95_ratio=1.25, capacity_rto_s=120,
            source={"rto_s": "experiment", "rpo_requests": "class"},
        ),
        load={
            "rate_rps": s.rate_rps, "horizon_s": BASELINE_S + s.observed_s,
            "mix": (Mix(weight=0.7, max_tokens=(4, 16)), Mix(weight=0.3, stream=True, max_tokens=(4, 32))),
        },
        timers=Timers(
            baseline_s=BASELINE_S, hold_s=10, confirm_s=10, deadline_s=s.observed_s, heal_s=60, deadline_parts={"node monitor grace": 40.0}
        ),
        expect=s.expect or Expect(),
        targets=() if s.fault == "none" else (hit,),
        replicas_desired={"inference": 3},
        evidence=() if s.fault == "none" else ("replica-gone",),
        hypothesis_probes=("error-ratio", "latency-p95", "ready-replicas"),
        floor=s.floor,
        risks=RISKS,
        versions={"aftershock": "0.1.0", "commit": "932b705c1f0a", "kubernetes": "v1.36.0", "torch": "2.13.0"},
        command=f"pytest -m chaos -k {s.id} --chaos-seed 7",
    )  # fmt: skip
