"""What will happen, said before it does: RTO and capacity RTO predicted from manifests and live timers alone.

Each kind of fault has its own chain of timers. Timers that run in cycles (checks, heartbeats) count with their mean, so that a forecast
errs to both sides. Shown beside what is measured, the error is a measure of our knowledge: ``python -m bench.accuracy.forecast``.
"""

from __future__ import annotations

from enum import Enum

from history.plan import Forecast
from runner.drivers.platform_timers import Checks, PlatformTimers
from runner.preflight.forecast_silent import Between, Felt, Silence, felt

SCHEDULE_S = 1.0  # create, bind and admit a pod on an idle cluster (measured: 1-2 s with its start)
REMOVE_S = 1.0  # a deleted pod leaves the endpoints and every node's rules
BOOT_S = 12.0  # a machine whose power is back becomes Ready
DEVICE_S = 8.0  # a device plugin's news reach the node's allocatable (measured)
RESTART_S = 1.2  # the kubelet notices that a container ended: its relist has a period of 1 s
NOTICED_S = 2.0  # an engine whose calls fail ends, and its server with it (measured: 1.6-2.5 s)
MEETS_DEVICE = 0.4  # share of loading after which an engine uses its device, and ends if that is lost (measured: 0.35-0.5)
BACK_OFF_S, LONGEST_BACK_OFF_S = 10.0, 300.0  # kubelet: doubled with every end of a container; its first restart waits for none
BACK_OFF_LATE_S = 1.5  # the kubelet looks this much after a back-off is over (measured: 1.3-2.2 s, once 12)
HEARTBEAT_S, MONITOR_PERIOD_S = 10.0, 5.0
"""A kubelet renews its lease every 10 s, the node controller looks every 5 s: the grace period counts from a renewal that is 5 s old on
average when the power goes, and its end is seen 2.5 s late on average."""


STALL_EARLY_S, STALL_LATE_S = 0.15, 0.1
"""A server's watch over its engine counts from the last heartbeat, and looks ten times a second."""
ENDS = Between(1.2, 2.0)
"""How long an engine whose device is lost takes to end (measured); until then what was asked of it waits."""


class Effect(Enum):
    """What a fault does, as far as timers are concerned."""

    POD_DELETED = "a pod is gone at once"
    ENGINE_DEAD = "the API process lives and answers errors"
    ENGINE_HUNG = "the API process lives and answers nothing"
    DEVICE_LOST = "calls on the device fail at once, and so does an engine that starts"
    NODE_DRAINED = "pods are evicted gracefully"
    NODE_LOST = "nothing answers, nothing is closed"
    ZONE_LOST = "the same, and the balancers there are gone with it"
    POD_CUT = "a pod answers nothing for a while, and then as before"


EFFECTS = {
    "faults.pods.kill": Effect.POD_DELETED,
    "faults.processes.kill_engine": Effect.ENGINE_DEAD,
    "faults.processes.freeze_engine": Effect.ENGINE_HUNG,
    "faults.gpus.lose_device": Effect.DEVICE_LOST,
    "faults.nodes.drain": Effect.NODE_DRAINED,
    "faults.nodes.cordon": Effect.NODE_DRAINED,
    "faults.nodes.power_off": Effect.NODE_LOST,
    "faults.nodes.silence": Effect.NODE_LOST,
    "faults.zones.lose": Effect.ZONE_LOST,
    "faults.zones.power_off": Effect.ZONE_LOST,
    "faults.network.isolate": Effect.POD_CUT,
    "faults.network.isolate_zone": Effect.ZONE_LOST,
}
"""Fault -> its effect. A fault that is not here has no forecast."""


BEGINS = {
    Effect.ENGINE_HUNG: Between(0.15, 0.55),
    Effect.DEVICE_LOST: Between(0.05, 0.3),
    Effect.NODE_LOST: Between(0.25, 0.55),
    Effect.ZONE_LOST: Between(0.3, 0.8),
    Effect.POD_CUT: Between(0.5, 1.5),
}
"""When a fault that silences something begins to act, after t_fault (s): a container or a machine driver's command has to start first
(measured: injectors return after 0.6 to 0.8 s, 0.25 to 0.5 s, 0.5 to 1.4 s, 0.6 to 1.05 s; a fault pod takes longer)."""


def predict(effect: Effect, timers: PlatformTimers, lasts_s: float) -> Forecast:
    """Return the forecast for a fault of ``effect`` that ends by itself after ``lasts_s`` (0: at once, or not by itself).

    ``rto_s`` 0 means: users notice nothing, retries on another replica cover it. Where that is a matter of chance, ``rto_range_s`` is
    where 9 of 10 such faults lie. ``parts`` is the chain to full capacity, phase by phase as the verdict measures it.
    """
    chain = _capacity(effect, timers, lasts_s)
    words = because(effect, timers, chain, lasts_s)
    chance = _by_chance(effect, timers, lasts_s)
    return Forecast(
        rto_s=felt_s(effect, timers, lasts_s) if chance is None else chance.expected_s,
        rto_range_s=None if chance is None else (chance.low_s, chance.high_s),
        capacity_rto_s=sum(chain.values()),
        dominant=max(chain, key=chain.__getitem__),
        parts=chain,
        timers={name: words[name] for name in chain if words.get(name)},
    )


def because(effect: Effect, timers: PlatformTimers, chain: dict[str, float], lasts_s: float) -> dict[str, str]:
    """Return which settings of the platform each phase of ``chain`` comes from, in words."""
    checks, liveness = timers.balancer, timers.liveness
    words = {"load": "as long as the running replicas took", "schedule": "an idle scheduler"}
    if checks is not None:
        words["detect"] = f"the gateway's checks: {checks.fall} failed ones, every {checks.interval_s:g} s, time-out {checks.timeout_s:g} s"
    if "evict" in chain:
        words["evict"] = f"node-monitor-grace-period {timers.node_monitor_s:g} s, then the pods' toleration {timers.toleration_s:g} s"
    match effect:
        case Effect.DEVICE_LOST:
            words["start"] = f"the fault lasts {lasts_s:g} s; the kubelet's back-off doubles from {BACK_OFF_S:g} s"
        case Effect.ENGINE_HUNG if liveness is not None and "load" in chain:
            words["start"] = f"the liveness probe: {liveness.fall} failed ones, every {liveness.interval_s:g} s"
        case Effect.ENGINE_HUNG | Effect.POD_CUT:
            words["start"] = f"the fault lasts {lasts_s:g} s"
        case Effect.NODE_LOST | Effect.ZONE_LOST if "evict" not in chain:
            words["start"] = f"the machine is off for {lasts_s:g} s, then it boots"
    return words


def felt_s(effect: Effect, timers: PlatformTimers, lasts_s: float) -> float:
    """Return how long users meet what is broken, if everything that is asked of it fails until it is taken out (s)."""
    begins_s = BEGINS[effect].mean_s if effect in BEGINS else 0.0
    match effect:
        case Effect.NODE_DRAINED:
            return 0.0
        case Effect.POD_DELETED:
            return _fails_at_once_s(timers, REMOVE_S)
        case Effect.ENGINE_DEAD | Effect.DEVICE_LOST:
            return _fails_at_once_s(timers, _seen_s(timers.readiness, silent=False))
        case Effect.ENGINE_HUNG:
            return begins_s + timers.stall_s + _out_s(timers, _seen_s(timers.readiness, silent=False), silent=False)
        case Effect.NODE_LOST | Effect.ZONE_LOST:
            return begins_s + _machine_out_s(effect, timers)
        case Effect.POD_CUT:
            return begins_s + min(lasts_s, _out_s(timers, _seen_s(timers.readiness, silent=True), silent=True))


def _by_chance(effect: Effect, timers: PlatformTimers, lasts_s: float) -> Felt | None:
    """Return how long users notice a silent replica whose balancers send it one request each; None where it is no matter of chance."""
    checks, demand = timers.balancer, timers.demand
    if checks is None or not checks.least_open or demand is None or effect not in BEGINS or effect is Effect.ZONE_LOST:
        return None
    seen = Between(min(lasts_s, checks.silent_s - checks.interval_s), min(lasts_s, checks.silent_s))
    match effect:
        case Effect.ENGINE_HUNG:
            stalled = Between(timers.stall_s - STALL_EARLY_S, timers.stall_s + STALL_LATE_S)
            return felt(Silence(BEGINS[effect], stalled, each=False), demand)
        case Effect.DEVICE_LOST:
            return felt(Silence(BEGINS[effect], ENDS, each=False), demand)
        case _:
            return felt(Silence(BEGINS[effect], seen, each=True), demand)


def _machine_out_s(effect: Effect, timers: PlatformTimers) -> float:
    """Return when what was on a lost machine is asked no more: of a zone, with its gateways, the balancer in front must notice it (s)."""
    if effect is Effect.ZONE_LOST and timers.entry is not None:
        return min(notready_s(timers), timers.entry.silent_mean_s)
    return _out_s(timers, notready_s(timers), silent=True)


def notready_s(timers: PlatformTimers) -> float:
    """Return after how long without power a node is called NotReady, on average (s)."""
    return timers.node_monitor_s - HEARTBEAT_S / 2 + MONITOR_PERIOD_S / 2


def _capacity(effect: Effect, timers: PlatformTimers, lasts_s: float) -> dict[str, float]:
    """Return the phases until all replicas are ready again (s)."""
    new = {"schedule": SCHEDULE_S, "start": timers.start_s, "load": timers.load_s}
    match effect:
        case Effect.POD_DELETED | Effect.NODE_DRAINED:
            return {"detect": 0.0} | new
        case Effect.ENGINE_DEAD:
            return {"detect": 0.0, "start": RESTART_S + timers.start_s, "load": timers.load_s}
        case Effect.DEVICE_LOST:
            again_s = back_s(timers, lasts_s) if timers.restarts else lasts_s + DEVICE_S
            return {"detect": NOTICED_S, "start": max(0.0, again_s - NOTICED_S), "load": timers.load_s}
        case Effect.ENGINE_HUNG:
            return _continued(timers, lasts_s, timers.stall_s + _out_s(timers, _seen_s(timers.readiness, silent=False), silent=False))
        case Effect.POD_CUT:
            seen_s = min(lasts_s, _seen_s(timers.readiness, silent=True))
            return _continued(timers, lasts_s, seen_s)
        case Effect.NODE_LOST | Effect.ZONE_LOST:
            noticed_s = min(lasts_s, _machine_out_s(effect, timers))
            back = {"detect": noticed_s, "start": lasts_s + BOOT_S - noticed_s, "load": timers.load_s}
            moved = {"detect": noticed_s, "evict": notready_s(timers) + timers.toleration_s - noticed_s} | new
            return min(back, moved, key=lambda chain: sum(chain.values()))


def back_s(timers: PlatformTimers, lasts_s: float) -> float:
    """Return when the start that finds its device again begins (s after the fault).

    The engine ends with its device, its container is started again at once, ends when it meets the device, and from then on waits for
    a back-off that doubles each time. Source: Kubernetes' documentation of container restarts (10 s, 20 s, 40 s ... up to 5 minutes).
    """
    at_s, wait_s = NOTICED_S + RESTART_S + timers.start_s, BACK_OFF_S
    meets_s = MEETS_DEVICE * timers.load_s
    while at_s + meets_s < lasts_s:
        at_s += meets_s + wait_s + BACK_OFF_LATE_S
        wait_s = min(2 * wait_s, LONGEST_BACK_OFF_S)
    return at_s


def _continued(timers: PlatformTimers, lasts_s: float, noticed_s: float) -> dict[str, float]:
    """Return the phases of a hung container: it moves again when the fault ends, or its liveness probe restarts it before."""
    killed_s = float("inf") if timers.liveness is None else timers.liveness.silent_s
    if lasts_s <= killed_s:
        return {"detect": noticed_s, "start": max(0.0, lasts_s - noticed_s)}
    return {"detect": noticed_s, "start": max(0.0, killed_s - noticed_s) + timers.start_s, "load": timers.load_s}


def _fails_at_once_s(timers: PlatformTimers, otherwise_s: float) -> float:
    """Return how long users meet what fails at once: not at all where a balancer repeats it elsewhere."""
    if timers.balancer is not None and timers.balancer.retries:
        return 0.0
    return _out_s(timers, otherwise_s, silent=False)


def _out_s(timers: PlatformTimers, otherwise_s: float, *, silent: bool) -> float:
    """Return when a balancer's checks or Kubernetes take out what does not serve, whichever is first (s)."""
    return min(otherwise_s, _seen_s(timers.balancer, silent=silent))


def _seen_s(checks: Checks | None, *, silent: bool) -> float:
    if checks is None:
        return float("inf")
    return checks.silent_mean_s if silent else checks.refused_mean_s
