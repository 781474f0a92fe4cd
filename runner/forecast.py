"""What will happen, said before it does: RTO and capacity RTO predicted from manifests and live timers alone.

Each kind of fault has its own chain of timers. Shown beside what is measured, the error is a measure of how well we know the platform.
"""

from __future__ import annotations

from enum import Enum

from history.plan import Forecast
from runner.timers import Checks, PlatformTimers

SCHEDULE_S = 1.0  # create, bind and admit a pod on an idle cluster (measured: 1-2 s with its start)
REMOVE_S = 1.0  # a deleted pod leaves the endpoints and every node's rules
BOOT_S = 12.0  # a machine whose power is back becomes Ready
DEVICE_S = 8.0  # a device plugin's news reach the node's allocatable (measured)
STALL_S = 2.0  # a server that watches its engine's progress turns its health red


class Effect(Enum):
    """What a fault does, as far as timers are concerned."""

    POD_DELETED = "a pod is gone at once"
    ENGINE_DEAD = "the API process lives and answers errors"
    ENGINE_HUNG = "the API process lives and answers nothing"
    DEVICE_LOST = "calls on the device fail at once"
    NODE_DRAINED = "pods are evicted gracefully"
    NODE_LOST = "nothing answers, nothing is closed"
    CUT_OFF = "a replica that is Ready answers nobody"


EFFECTS = {
    "faults.pods.kill": Effect.POD_DELETED,
    "faults.engine.kill_engine": Effect.ENGINE_DEAD,
    "faults.engine.freeze_engine": Effect.ENGINE_HUNG,
    "faults.gpu.lose_device": Effect.DEVICE_LOST,
    "faults.nodes.drain": Effect.NODE_DRAINED,
    "faults.nodes.cordon": Effect.NODE_DRAINED,
    "faults.nodes.power_off": Effect.NODE_LOST,
    "faults.nodes.silence": Effect.NODE_LOST,
    "faults.network.isolate": Effect.CUT_OFF,
    "faults.network.isolate_zone": Effect.CUT_OFF,
    "faults.zone.lose": Effect.NODE_LOST,
}
"""Fault -> its effect. A fault that is not here has no forecast."""


def predict(effect: Effect, timers: PlatformTimers, lasts_s: float) -> Forecast:
    """Return the forecast for a fault of ``effect`` that ends by itself after ``lasts_s`` (0: at once, or not by itself).

    ``parts`` is the chain to full capacity, phase by phase as the verdict measures it; users are served again after ``detect``.
    """
    rto_s = detect_s(effect, timers, lasts_s)
    chain = {"detect": rto_s} | _capacity(effect, timers, lasts_s, rto_s)
    return Forecast(rto_s=rto_s, capacity_rto_s=sum(chain.values()), dominant=max(chain, key=chain.__getitem__), parts=chain)


def detect_s(effect: Effect, timers: PlatformTimers, lasts_s: float) -> float:
    """Return how long users meet what is broken (s), where it lasts so long by itself."""
    match effect:
        case Effect.NODE_DRAINED:
            return 0.0
        case Effect.POD_DELETED:
            return _out(timers, silent=False, otherwise_s=REMOVE_S)
        case Effect.ENGINE_DEAD | Effect.DEVICE_LOST:
            return _out(timers, silent=False, otherwise_s=_refused_s(timers.readiness))
        case Effect.ENGINE_HUNG:
            return STALL_S + _out(timers, silent=False, otherwise_s=_refused_s(timers.readiness), retries=False)
        case Effect.NODE_LOST:
            return _out(timers, silent=True, otherwise_s=timers.node_monitor_s, retries=False)
        case Effect.CUT_OFF:  # Kubernetes never notices: without a balancer's checks, users meet it until it ends
            return _out(timers, silent=True, otherwise_s=lasts_s, retries=False)


def _capacity(effect: Effect, timers: PlatformTimers, lasts_s: float, noticed_s: float) -> dict[str, float]:
    """Return the phases after detection until all replicas are ready again (s)."""
    new = {"schedule": SCHEDULE_S, "start": timers.start_s, "load": timers.load_s}
    match effect:
        case Effect.POD_DELETED | Effect.NODE_DRAINED:
            return new
        case Effect.ENGINE_DEAD:
            return {"start": timers.start_s, "load": timers.load_s}
        case Effect.DEVICE_LOST:
            return {"start": lasts_s + DEVICE_S - noticed_s, "load": timers.load_s}
        case Effect.ENGINE_HUNG:
            return _continued(timers, lasts_s, noticed_s)
        case Effect.NODE_LOST:
            back = {"start": lasts_s + BOOT_S - noticed_s, "load": timers.load_s}
            moved = {"evict": timers.node_monitor_s + timers.toleration_s - noticed_s} | new
            return min(back, moved, key=lambda chain: sum(chain.values()))
        case Effect.CUT_OFF:
            return {"start": max(0.0, lasts_s - noticed_s)}


def _continued(timers: PlatformTimers, lasts_s: float, noticed_s: float) -> dict[str, float]:
    """Return the phases of a hung container: it moves again when the fault ends, or its liveness probe restarts it before."""
    killed_s = float("inf") if timers.liveness is None else timers.liveness.silent_s
    if lasts_s <= killed_s:
        return {"start": max(0.0, lasts_s - noticed_s)}
    return {"start": killed_s - noticed_s + timers.start_s, "load": timers.load_s}


def _out(timers: PlatformTimers, *, silent: bool, otherwise_s: float, retries: bool = True) -> float:
    """Return how long users meet what is broken: until a balancer's checks or Kubernetes take it out, whichever is first."""
    balancer = timers.balancer
    if balancer is None:
        return otherwise_s
    if balancer.retries and retries:
        return 0.0  # what fails at once is repeated elsewhere
    return min(otherwise_s, balancer.silent_s if silent else balancer.refused_s)


def _refused_s(checks: Checks | None) -> float:
    return float("inf") if checks is None else checks.refused_s
