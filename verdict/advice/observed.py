"""What causes are read from: what a run showed of the role that was hit, and how that role is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from history.layout import Layout, RoleLayout
from history.plan import Floor
from history.result import Check, Measurement, Verdict
from history.schema import EventKind
from verdict.case import Case
from verdict.shared.targets import target_pods

SERVED = frozenset({"rto", "availability", "bad_seconds", "interrupted", "hypothesis", "latency"})
"""Checks that fail where users were not served as they should be."""
SLOW = frozenset({"rto", "capacity_rto", "availability", "bad_seconds", "hypothesis"})
"""Checks that fail where what was lost came back late."""
GATEWAY = "gateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a run with a fault showed. Times are in seconds, most of them after the fault.

    ``role``: the one that was hit, ``hit`` how many of its ready replicas were. ``hung``: what was hit was neither gone nor started again.
    ``restarts``: how often a container of a new replica was started again. ``values``: measurements by name; of a lower bound, that.
    """

    failed: frozenset[str]
    role: RoleLayout
    gateway: RoleLayout | None = None
    floor: Floor | None = None
    on_nodes: bool = False
    graceful: bool = False
    hung: bool = False
    hit: int = 1
    restarts: int = 0
    values: Mapping[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float:
        """Return a measurement; 0 if it was not made."""
        return self.values.get(name, 0.0)

    @property
    def slow(self) -> bool:
        """Whether what was lost came back too late."""
        return bool(self.failed & SLOW)

    @property
    def unserved(self) -> bool:
        """Whether users were not served as they should be."""
        return bool(self.failed & SERVED)

    @property
    def lost_all(self) -> bool:
        """Whether every replica that was ready was hit."""
        return 0 < self.role.ready <= self.hit

    @property
    def took_s(self) -> float:
        """How long it took until all was back, as users or replicas show it (s): the longer of the two that failed."""
        found = [self.of(name) for check, name in (("rto", "rto"), ("capacity_rto", "full_capacity")) if check in self.failed]
        return max(found, default=max(self.of("rto"), self.of("full_capacity")))


def observed(case: Case, layout: Layout, checks: Iterable[Check], measurements: Iterable[Measurement]) -> Observed | None:
    """Return what a run showed; None: nothing was injected, or it is not known how what was hit is built."""
    pods = set(target_pods(case))
    role = _role(case, layout, pods)
    if role is None or case.recovery is None or case.control:
        return None
    plan, fault_ns = case.run.plan, case.recovery.fault_ns
    later = [event for event in case.timeline.all(EventKind.POD_GONE, EventKind.POD_STARTED) if event.t_ns >= fault_ns]
    gone = any(event.object in pods and event.t_ns <= case.recovery.watched_ns for event in later)
    new = {event.object for event in case.timeline.all(EventKind.POD_CREATED) if event.t_ns >= fault_ns}
    return Observed(
        failed=frozenset(check.name for check in checks if check.verdict is Verdict.FAIL),
        role=role,
        gateway=layout.of(GATEWAY) if role.role != GATEWAY else None,
        floor=plan.floor,
        on_nodes=any(target.kind == "Node" for target in plan.targets),
        graceful=plan.graceful,
        hung=not gone and not plan.graceful and plan.floor is not None,  # a cut network is no hang: its fault has no timers
        hit=sum(_role_of(case, pod) == role.role for pod in pods),
        restarts=int(max((event.number("restarts") or 0 for event in later if event.object in new), default=0)),
        values={one.name: one.value for one in measurements if one.value is not None},
    )


def _role(case: Case, layout: Layout, pods: Iterable[str]) -> RoleLayout | None:
    """Return how the role is built that was hit: the workload's own if it was, else the only other one."""
    hit = {_role_of(case, pod) for pod in pods} - {""}
    name = case.workload.role if case.workload.role in hit else next(iter(hit)) if len(hit) == 1 else ""
    return layout.of(name)


def _role_of(case: Case, pod: str) -> str:
    """Return the role of a pod that was seen Ready; empty: none of them says."""
    said = (event.detail.get("role") for event in case.timeline.all(EventKind.POD_READY) if event.object == pod)
    return next((str(role) for role in said if role), "")
