"""What causes are read from: what a run showed of the role that was hit, and how that role is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from history.layout import Layout, RoleLayout
from history.plan import Floor
from history.result import Check, Measurement, Verdict
from history.schema import EventKind
from history.workloads import RequestsPlan
from verdict.case import Case
from verdict.inputs.goodness import answered_wrong
from verdict.inputs.timeline import Event
from verdict.shared.targets import target_pods

SERVED = frozenset({"rto", "availability", "bad_seconds", "interrupted", "hypothesis", "latency"})
"""Checks that fail where users were not served as they should be."""
SLOW = frozenset({"rto", "capacity_rto", "availability", "bad_seconds", "hypothesis"})
"""Checks that fail where what was lost came back late."""
GATEWAY = "gateway"
CONTROL_PLANE = "ControlPlane"  # the kind of a target that hits no replica
BY_DNS = "from DNS"  # faults.dns says so of what happens to its targets
BY_WEIGHTS = "the stored weights"  # faults.weights says so of what happens to its targets
SURGED = "times its load"  # faults.load says so of what happens to its targets
OVER_S = 10.0  # what is not back so long after the end of its fault does not wait for that


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a run with a fault showed. Times are in seconds, most of them after the fault.

    ``role``: the one that was hit, ``hit`` how many of its ready replicas were. Where the control plane was hit, none was, and it is the
    workload's own. ``hung``: what was hit was neither gone nor started again.
    ``stays``: neither, and it was not back although the fault had ended. ``asked``: the role of the workload, ``own`` whether that was hit.
    ``restarts``: how often a container of a new replica was started again; ``own_restarts``: one of the workload's role, old or new.
    ``by_weights``: what replicas load was damaged; ``wrong_by_new``: wrong answers of replicas that were made after the fault.
    ``surged``: nothing was taken away, more was asked.
    ``ranks_again``: a training job started its ranks again by itself, which no pod need show.
    ``unplaced_s``: how long a new replica had no node. ``values``: measurements by name; of a lower bound, that.
    """

    failed: frozenset[str]
    role: RoleLayout
    gateway: RoleLayout | None = None
    floor: Floor | None = None
    on_nodes: bool = False
    on_control_plane: bool = False
    graceful: bool = False
    hung: bool = False
    stays: bool = False
    by_dns: bool = False
    by_weights: bool = False
    wrong_by_new: int = 0
    surged: bool = False
    own: bool = True
    asked: RoleLayout | None = None
    hit: int = 1
    restarts: int = 0
    own_restarts: int = 0
    ranks_again: bool = False
    unplaced_s: float = 0.0
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
    lasting = not plan.graceful and not any(event.object in pods and event.t_ns <= case.recovery.watched_ns for event in later)
    new = {event.object for event in case.timeline.all(EventKind.POD_CREATED) if event.t_ns >= fault_ns}
    seen = Observed(
        failed=frozenset(check.name for check in checks if check.verdict is Verdict.FAIL),
        role=role,
        gateway=layout.of(GATEWAY) if role.role != GATEWAY else None,
        floor=plan.floor,
        on_nodes=any(target.kind == "Node" for target in plan.targets),
        on_control_plane=_on_control_plane(case),
        graceful=plan.graceful,
        hung=lasting and plan.floor is not None,  # a cut network is no hang: its fault has no timers
        by_dns=any(BY_DNS in target.effect for target in plan.targets),
        by_weights=any(BY_WEIGHTS in target.effect for target in plan.targets),
        wrong_by_new=_wrong_by(case, new),
        surged=any(SURGED in target.effect for target in plan.targets),
        own=role.role == case.workload.role,
        asked=layout.of(case.workload.role),
        hit=sum(_role_of(case, pod) == role.role for pod in pods),
        restarts=_restarts(case, fault_ns, lambda event: event.object in new),
        own_restarts=_restarts(case, fault_ns, lambda event: event.detail.get("role") == case.workload.role),
        ranks_again=case.training is not None and bool(case.training.resumed(fault_ns)),
        unplaced_s=_unplaced_s(case, role.role, fault_ns, case.recovery.watched_ns),
        values={one.name: one.value for one in measurements if one.value is not None},
    )
    late = "capacity_rto" in seen.failed and seen.of("full_capacity") > plan.timers.fault_s + OVER_S
    return replace(seen, stays=lasting and late)


def _restarts(case: Case, since_ns: int, chosen: Callable[[Event], bool]) -> int:
    """Return how often one container was started again since, at most; a container's count goes on from what it was before."""
    seen, before = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
    for event in (one for one in case.timeline.all(EventKind.POD_STARTED) if chosen(one)):
        key, number = (event.object, str(event.detail.get("container"))), int(event.number("restarts") or 0)
        if event.t_ns < since_ns:
            before[key] = number
        else:
            before.setdefault(key, max(0, number - 1))  # nobody saw it start before: this one start is all that was seen
            seen[key] = max(0, number - before[key])
    return max(seen.values(), default=0)


def _wrong_by(case: Case, pods: Iterable[str]) -> int:
    """Return how many wrong answers were given by ``pods``, as their headers say."""
    if case.run.plan.of(RequestsPlan) is None or case.answers.unknown or "pod" not in case.run.requests.columns:
        return 0
    return int(case.run.requests.select((answered_wrong() & pl.col("pod").is_in(sorted(pods))).fill_null(value=False).sum()).item())


def _unplaced_s(case: Case, role: str, since_ns: int, until_ns: int) -> float:
    """Return for how long (s) a new replica of ``role`` waited for a node; of several, the longest."""
    placed = {event.object: event.t_ns for event in reversed(case.timeline.all(EventKind.POD_SCHEDULED))}
    made = [event for event in case.timeline.all(EventKind.POD_CREATED) if event.t_ns >= since_ns and event.detail.get("role") == role]
    waited = (min(placed.get(event.object, until_ns), until_ns) - event.t_ns for event in made)
    return max(0, 0, *waited) / 1e9


def _role(case: Case, layout: Layout, pods: Iterable[str]) -> RoleLayout | None:
    """Return how the role is built that was hit: the workload's own if it, or nothing but the control plane, was; else the only other."""
    if _on_control_plane(case):
        return layout.of(case.workload.role)
    hit = {_role_of(case, pod) for pod in pods} - {""}
    name = case.workload.role if case.workload.role in hit else next(iter(hit)) if len(hit) == 1 else ""
    return layout.of(name)


def _on_control_plane(case: Case) -> bool:
    """Tell whether nothing but the control plane was hit."""
    return {target.kind for target in case.run.plan.targets} == {CONTROL_PLANE}


def _role_of(case: Case, pod: str) -> str:
    """Return the role of a pod that was seen Ready; empty: none of them says."""
    said = (event.detail.get("role") for event in case.timeline.all(EventKind.POD_READY) if event.object == pod)
    return next((str(role) for role in said if role), "")
