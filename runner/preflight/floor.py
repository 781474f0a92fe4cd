"""The floor: how soon full capacity can be back at the earliest, by the platform's own timers. It bounds, it does not predict.

Minima, not means: where a fault may be over in several ways, the quickest counts. How long replicas took to start and to load is no timer
and counts as nothing: the next may be quicker (measured: all back after 7 s where the median load was 13 s). Where a timer is assumed, or
where a cloud may delete a lost Node before Kubernetes gives it up, the floor is an estimate and says why.

A fault without an effect (:class:`safety.fault_spec.Effect`) has no floor: a killed engine may be started at once, a drained replica counts
until its successor is ready, and Kubernetes goes on calling a replica Ready that is cut off from all but its kubelet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from history.plan import Floor, Plan
from kube.platform_timers import PlatformTimers
from safety.fault_spec import Effect

ASKED_S = 3.0  # capacity counts from when a green health answer was asked for, and that may have waited so long (measured: 2.5)
LEASE_S = 11.0  # a lost node's last lease may be so old: renewed every 10 s, with 4 % of jitter and a request
LEAST_NODE_MONITOR_S = 40.0  # the smallest default that Kubernetes had; where the setting cannot be read


class Part(NamedTuple):
    """One timer: what it takes at least (s), the setting's name, and how the one comes from the other."""

    at_least_s: float
    setting: str
    why: str = ""


class Way(NamedTuple):
    """A way to full capacity: timers that run one after the other."""

    what: str
    parts: tuple[Part, ...]

    @property
    def at_s(self) -> float:
        """Return how soon it can end (s)."""
        return sum(part.at_least_s for part in self.parts)

    @property
    def words(self) -> str:
        """Return it as a person reads it: eviction alone takes 39 s (…) + 300 s (tolerationSeconds of Deployment x)."""
        taken = " + ".join(f"{one.at_least_s:g} s ({one.setting}{one.why})" for one in self.parts)
        return f"{self.what} alone takes {taken}" + (f", the longest is {self.dominant}" if len(self.parts) > 1 else "")

    @property
    def dominant(self) -> str:
        """Return the setting that takes longest."""
        return max(self.parts).setting


def floor_of(effect: Effect, timers: PlatformTimers, lasts_s: float, waits_s: float | None = None) -> Floor | None:
    """Return the floor under a fault of ``effect`` that ends by itself after ``lasts_s`` (0: not by itself); None if no timer bounds it.

    ``waits_s``: no other replica serves users meanwhile, and an answer may take them so long. It counts from when they asked, and a replica
    may answer before its first check.
    """
    way = _quickest(effect, timers, lasts_s)
    served_s = _quickest(effect, replace(timers, first_check_s=0.0), lasts_s).at_s
    if not 0 < way.at_s < float("inf"):
        return None
    return Floor(
        capacity_rto_s=way.at_s,
        rto_s=None if waits_s is None else max(0.0, served_s - waits_s),
        timers=way.words,
        dominant=way.dominant,
        estimate="; ".join(_doubts(timers, way)) if effect is Effect.NODE_LOST else "",
    )


def _quickest(effect: Effect, timers: PlatformTimers, lasts_s: float) -> Way:
    ends_s = max(0.0, lasts_s - ASKED_S) if lasts_s else float("inf")
    ends = Way("the fault", (Part(ends_s, "the fault's own time", f" {lasts_s:g} s, less {ASKED_S:g} s that a health check may take"),))
    match effect:
        case Effect.POD_DELETED:
            return Way("a new replica", _first_check(timers) or (Part(0.0, ""),))
        case Effect.ENGINE_HUNG:
            liveness = Part(timers.liveness_s, f"livenessProbe of {timers.owner}")
            return min(ends, Way("a restart", (liveness, *_first_check(timers))), key=lambda way: way.at_s)
        case Effect.DEVICE_LOST:
            return ends if timers.restarts else Way("a new replica", (Part(0.0, ""),))
        case Effect.NODE_LOST:
            return min(ends, _eviction(timers), key=lambda way: way.at_s)


def _eviction(timers: PlatformTimers) -> Way:
    grace_s = timers.node_monitor_s if timers.node_monitor_known else min(timers.node_monitor_s, LEAST_NODE_MONITOR_S)
    noticed = Part(max(0.0, grace_s - LEASE_S), "node-monitor-grace-period", f" {grace_s:g} s, less {LEASE_S:g} s since the last lease")
    return Way("eviction", (noticed, Part(timers.toleration_s, f"tolerationSeconds of {timers.owner}"), *_first_check(timers)))


def _first_check(timers: PlatformTimers) -> tuple[Part, ...]:
    return (Part(timers.first_check_s, f"initialDelaySeconds of {timers.owner}"),) if timers.first_check_s else ()


def _doubts(timers: PlatformTimers, way: Way) -> list[str]:
    """Return why pods may leave a lost node before ``way`` says so."""
    doubts = []
    if not timers.node_monitor_known and timers.toleration_s + timers.first_check_s < way.at_s:
        least_s = min(timers.node_monitor_s, LEAST_NODE_MONITOR_S)
        doubts.append(f"node-monitor-grace-period could not be read, so Kubernetes' smallest default of {least_s:g} s is taken")
    if timers.cloud:
        doubts.append(f"the cloud ({timers.cloud}) may delete a lost Node earlier, and its pods with it")
    return doubts


def below_floor(plan: Plan, role: str) -> list[str]:
    """Return a sentence for each budget that ``role`` cannot keep, since the plan's floor is above it."""
    floor = plan.floor
    if floor is None:
        return []
    bounds = plan.first.budgets
    floors = (
        ("capacity_rto", bounds.capacity_rto_s, floor.capacity_rto_s, "has full capacity back"),
        ("rto", bounds.rto_s, floor.rto_s, "serves users again"),
    )
    return [
        f"{plan.experiment.id}: budget {name} of {budget_s:g} s (set by: {bounds.source.get(f'{name}_s', 'nobody')}) "
        f"{'can hardly' if floor.estimate else 'cannot'} be met, it is below the floor: role {role} of target {plan.target.name} {what} "
        f"after {floor_s:.1f} s at the earliest, since {floor.sentence}; expected: a budget above that; the run goes on; raise the budget "
        f"or shorten {floor.dominant or 'these timers'}"
        for name, budget_s, floor_s, what in floors
        if floor_s is not None and budget_s is not None and budget_s < floor_s
    ]
