"""The floor: what the platform's own timers allow at the earliest, with figures, and what is said of budgets below it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from history.budgets import Budgets
from history.plan import Floor, ResolvedTarget
from history.workloads import Slo
from kube.platform_timers import PlatformTimers
from runner.drivers.driver import Driver
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import Experiment, read_experiment
from runner.preflight.checks import foretell
from runner.preflight.floor import below_floor, floor_of
from runner.preflight.planning import Resolved, floor_under
from safety.fault_spec import Effect
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.runs.runner_parts import plan_of

CLASS = "realtime-inference"
LOCAL = PlatformTimers(node_monitor_s=50, toleration_s=20, start_s=2, load_s=12, liveness_s=10, owner="Deployment x")
"""The embedded platform's: its controller manager is no pod, so the grace period is assumed."""
KNOWN = replace(LOCAL, node_monitor_known=True)
SLOW = replace(KNOWN, first_check_s=60)  # as large models have it
MEASURED: dict[str, list[float]] = {
    "engine-frozen": [25.41, 49.07, 25.09, 27.08],
    "engine-killed": [6.98, 8.57, 5.69, 6.44],
    "gpu-lost": [51.64, 60.35, 105.26, 103.83],
    "gpu-node-lost": [75.27, 73.74, 71.01, 75.65],
    "node-drained": [8.69, 9.81, 11.83, 7.77],
    "replica-killed": [6.62, 6.11, 9.81, 5.46],
    "replica-partitioned": [27.50, 0.0, 28.09],
}
"""Time to full capacity in four smoke sets on the embedded platform (s); of the others it was watched too briefly to know."""


@pytest.mark.parametrize(
    ("effect", "timers", "lasts_s", "floor_s"),
    [
        (Effect.POD_DELETED, KNOWN, 0, None),
        (Effect.POD_DELETED, SLOW, 0, 60),
        (Effect.ENGINE_HUNG, KNOWN, 30, 10),  # the third failed liveness check, 5 s apart
        (Effect.ENGINE_HUNG, KNOWN, 8, 5),  # it moves again before
        (Effect.ENGINE_HUNG, SLOW, 30, 27),  # it moves again before a restarted container is asked
        (Effect.ENGINE_HUNG, replace(KNOWN, liveness_s=float("inf")), 0, None),
        (Effect.DEVICE_LOST, KNOWN, 45, 42),
        (Effect.DEVICE_LOST, KNOWN, 0, None),
        (Effect.DEVICE_LOST, replace(KNOWN, restarts=False), 45, None),  # its controller may make a pod with another device
        (Effect.NODE_LOST, KNOWN, 120, 50 - 11 + 20),
        (Effect.NODE_LOST, LOCAL, 120, 40 - 11 + 20),
        (Effect.NODE_LOST, SLOW, 0, 50 - 11 + 20 + 60),
        (Effect.NODE_LOST, SLOW, 40, 37),  # the machine is back before its pods move
        (Effect.NODE_LOST, replace(KNOWN, toleration_s=float("inf")), 0, None),  # they never move
        (Effect.NODE_LOST, replace(KNOWN, node_monitor_s=5, toleration_s=0), 0, None),
    ],
)
def test_the_quickest_way_to_full_capacity_counts(effect: Effect, timers: PlatformTimers, lasts_s: float, floor_s: float | None) -> None:
    floor = floor_of(effect, timers, lasts_s)
    assert (None if floor is None else floor.capacity_rto_s) == floor_s


def floor_with(effect: Effect, timers: PlatformTimers, lasts_s: float = 0) -> Floor:
    floor = floor_of(effect, timers, lasts_s)
    assert floor is not None
    return floor


@pytest.mark.parametrize(
    ("effect", "timers", "lasts_s", "words", "dominant"),
    [
        (
            Effect.NODE_LOST,
            replace(KNOWN, toleration_s=300),
            0,
            "eviction alone takes 39 s (node-monitor-grace-period 50 s, less 11 s since the last lease) "
            "+ 300 s (tolerationSeconds of Deployment x), the longest is tolerationSeconds of Deployment x",
            "tolerationSeconds of Deployment x",
        ),
        (
            Effect.NODE_LOST,
            SLOW,
            0,
            "eviction alone takes 39 s (node-monitor-grace-period 50 s, less 11 s since the last lease) "
            "+ 20 s (tolerationSeconds of Deployment x) + 60 s (initialDelaySeconds of Deployment x), "
            "the longest is initialDelaySeconds of Deployment x",
            "initialDelaySeconds of Deployment x",
        ),
        (
            Effect.POD_DELETED,
            SLOW,
            0,
            "a new replica alone takes 60 s (initialDelaySeconds of Deployment x)",
            "initialDelaySeconds of Deployment x",
        ),
        (Effect.ENGINE_HUNG, KNOWN, 30, "a restart alone takes 10 s (livenessProbe of Deployment x)", "livenessProbe of Deployment x"),
        (
            Effect.DEVICE_LOST,
            KNOWN,
            45,
            "the fault alone takes 42 s (the fault's own time 45 s, less 3 s that a health check may take)",
            "the fault's own time",
        ),
    ],
)
def test_the_timers_that_bound_it_are_named_and_the_one_that_dominates(
    effect: Effect, timers: PlatformTimers, lasts_s: float, words: str, dominant: str
) -> None:
    floor = floor_with(effect, timers, lasts_s)
    assert (floor.timers, floor.dominant, floor.estimate) == (words, dominant, "")


@pytest.mark.parametrize(
    ("effect", "timers", "lasts_s", "doubt"),
    [
        (Effect.NODE_LOST, LOCAL, 0, "node-monitor-grace-period could not be read, so Kubernetes' smallest default of 40 s is taken"),
        (Effect.NODE_LOST, LOCAL, 40, "node-monitor-grace-period could not be read"),  # if it were 20 s, pods would leave before 37 s
        (Effect.NODE_LOST, LOCAL, 15, ""),  # the machine is back before their toleration alone is over
        (Effect.NODE_LOST, replace(KNOWN, cloud="aws"), 0, "the cloud (aws) may delete a lost Node earlier, and its pods with it"),
        (Effect.NODE_LOST, KNOWN, 0, ""),
        (Effect.ENGINE_HUNG, replace(LOCAL, cloud="aws"), 30, ""),  # no Node is lost
    ],
)
def test_a_floor_on_assumed_timers_or_where_a_cloud_may_be_quicker_is_an_estimate(
    effect: Effect, timers: PlatformTimers, lasts_s: float, doubt: str
) -> None:
    floor = floor_with(effect, timers, lasts_s)
    assert floor.estimate.startswith(doubt)
    assert bool(floor.estimate) == bool(doubt)
    assert floor.sentence == (f"{floor.timers} (an estimate: {floor.estimate})" if doubt else floor.timers)


def shipped(name: str) -> Experiment:
    return read_experiment(ROOT / "experiments/serving" / f"{name}.yaml", ROOT / "experiments")


def drivers() -> list[Driver]:
    return [RequestsDriver(FakeCluster().platform(local_target()), CLASS)]


def resolved(*, timers: PlatformTimers = KNOWN, replicas: int = 3, kinds: tuple[str, ...] = ("Pod",)) -> Resolved:
    targets = [ResolvedTarget(kind=kind, name=f"{kind}-{i}") for i, kind in enumerate(kinds)]
    return Resolved({"fault": targets}, {"inference": replicas}, {CLASS: timers})


@pytest.mark.parametrize("name", MEASURED)
def test_no_recovery_that_was_measured_is_below_its_floor(name: str) -> None:
    floors = [floor_under(shipped(name), local_target(), resolved(timers=timers), drivers()) for timers in (LOCAL, KNOWN)]
    assert all(floor is None or floor.capacity_rto_s < min(MEASURED[name]) for floor in floors)


def test_shipped_faults_on_serving_that_have_a_floor() -> None:
    names = sorted(file.stem for file in (ROOT / "experiments/serving").glob("*.yaml"))
    floors = {name: floor_under(shipped(name), local_target(), resolved(), drivers()) for name in names}
    found = {name: floor.capacity_rto_s for name, floor in floors.items() if floor}
    assert found == {"engine-frozen": 10, "gpu-lost": 42, "gpu-node-lost": 59, "node-silent": 37, "zone-lost": 59}


def test_a_control_and_a_fault_on_another_role_have_no_floor(experiment_file: Path) -> None:
    sham = read_experiment(ROOT / "experiments/control/sham-control.yaml", ROOT / "experiments")
    assert floor_under(sham, local_target(), resolved(timers=SLOW), drivers()) is None
    elsewhere = experiment_file.with_name("elsewhere.yaml")
    elsewhere.write_text((ROOT / "experiments/serving/gpu-node-lost.yaml").read_text().replace("role: inference", "role: gateway"))
    assert floor_under(read_experiment(elsewhere, elsewhere.parents[1]), local_target(), resolved(), drivers()) is None


@pytest.mark.parametrize(
    ("resolved_", "rto_s"),
    [
        (resolved(kinds=("Node",)), None),  # two other replicas serve users
        (resolved(replicas=1, kinds=("Node",)), 59 - 1),  # what is asked from then on may still be answered in time
        (resolved(replicas=3, kinds=("Pod", "Pod", "Pod")), 59 - 1),
        (resolved(replicas=1, timers=SLOW), 59 - 1),  # a replica may answer before its first check
    ],
)
def test_users_wait_for_the_floor_only_where_nobody_else_serves_them(resolved_: Resolved, rto_s: float | None) -> None:
    target = local_target()
    assert target.workloads["realtime-inference"].slo.latency_ms == 1000
    floor = floor_under(shipped("gpu-node-lost"), target, resolved_, drivers())
    assert floor is not None
    assert floor.rto_s == rto_s


def planned(experiment: Experiment, estimate: str = "", **budgets: Any) -> Any:
    floor = Floor(capacity_rto_s=59.0, rto_s=58.0, timers="eviction alone takes 59 s", dominant="tolerationSeconds", estimate=estimate)
    source = dict.fromkeys(budgets, "experiment")
    return plan_of(experiment, floor=floor, budgets=Budgets(**budgets, source=source), slo=Slo(ratio=0.99, latency_ms=1000))


def test_budgets_below_the_floor_are_said_and_others_are_not(experiment: Experiment) -> None:
    assert below_floor(planned(experiment, rto_s=58, capacity_rto_s=59), "inference") == []
    assert below_floor(planned(experiment, rpo_requests=0), "inference") == []
    capacity, rto = below_floor(planned(experiment, rto_s=30, capacity_rto_s=40), "inference")
    assert "budget capacity_rto of 40 s (set by: experiment) cannot be met, it is below the floor: role inference of target" in capacity
    assert "has full capacity back after 59.0 s at the earliest, since eviction alone takes 59 s; expected" in capacity
    assert capacity.endswith("raise the budget or shorten tolerationSeconds")
    assert "budget rto of 30 s" in rto
    assert "serves users again after 58.0 s at the earliest" in rto
    assert below_floor(plan_of(experiment), "inference") == []


def test_below_an_estimated_floor_a_budget_can_hardly_be_met(experiment: Experiment) -> None:
    [said] = below_floor(planned(experiment, "it was assumed", capacity_rto_s=40), "inference")
    assert "can hardly be met" in said
    assert "since eviction alone takes 59 s (an estimate: it was assumed); expected" in said


def test_a_dry_run_says_the_floor(experiment: Experiment) -> None:
    said = foretell(planned(experiment, "it was assumed", rto_s=30))[-1]
    taken = "eviction alone takes 59 s (an estimate: it was assumed)"
    assert said == f"floor: full capacity not back before 59.0 s, users not served before 58.0 s: {taken}"
    assert "floor" not in " ".join(foretell(plan_of(experiment)))
