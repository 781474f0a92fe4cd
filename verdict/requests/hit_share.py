"""Which share of users' requests a fault can hit: that of the pods at which it was aimed."""

from __future__ import annotations

import polars as pl

from history.schema import EventKind
from verdict.case import Case
from verdict.shared.once import once
from verdict.shared.targets import target_pods


@once
def planned_pods(case: Case) -> tuple[str, ...]:
    """Return the pods of the workload's role that the fault hits, by the names that they had before it (none: not known, or a control)."""
    if case.control or case.recovery is None:
        return ()
    begun_ns = case.recovery.fault_ns
    ready = (event for event in case.timeline.all(EventKind.POD_READY) if event.t_ns <= begun_ns)
    own = {event.object for event in ready if event.detail.get("role") == _role(case)}
    return tuple(pod for pod in target_pods(case) if pod in own)


@once
def hit_share(case: Case) -> float:
    """Return the share of requests that went to the pods that are hit, before the fault.

    By who answered, where answers say so; else each replica has its fair share. 1 if the fault hits all of them, or other things.
    """
    pods, replicas = planned_pods(case), case.run.plan.replicas_desired.get(_role(case), 0)
    if not pods or len(pods) >= replicas or case.recovery is None:
        return 1.0
    return answered_share(case, pods) or len(pods) / replicas


@once
def answered_share(case: Case, pods: tuple[str, ...]) -> float | None:
    """Return which share of the answers to requests made before the fault was that of ``pods``; ``None``: no answer named its pod."""
    if case.recovery is None:
        return None
    named = (pl.col("intended_ns") < case.recovery.fault_ns) & pl.col("pod").is_not_null()
    measured = case.run.requests.lazy().filter(named).select(pl.col("pod").is_in(pods).mean()).collect().item()
    return None if measured is None else float(measured)


def _role(case: Case) -> str:
    """Return whose pods serve the workload; older plans name only whose replicas were counted."""
    return case.workload.role or next(iter(case.run.plan.replicas_desired), "")
