"""The plan: budgets and where they come from, timers and what they are made of, and what is foretold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from history.plan import Budgets, ResolvedTarget, Slo
from runner.drivers.platform_timers import (
    UNCHECKED,
    Checks,
    Demand,
    PlatformTimers,
)
from runner.experiment.experiment import Experiment, read_experiment
from runner.preflight.checks import foretell
from runner.preflight.forecast import EFFECTS, Effect, predict
from runner.preflight.planning import Resolved, deadline_parts, make_plan, merged_budgets, span_s
from runner.request import Request
from testing.platform.fake_cluster import ROOT, local_target
from testing.runs.runner_parts import EXPERIMENT, NULL, plan_of

TIMERS = PlatformTimers(
    node_monitor_s=50,
    toleration_s=20,
    readiness=Checks(1, 1, 2, 2),
    liveness=Checks(5, 5, 3, 2),
    balancer=Checks(0.5, 0.2, 2, 1, retries=True),
    start_s=2,
    load_s=12,
)
POD = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid="u", node="gpu-a")
NODE = ResolvedTarget(kind="Node", name="gpu-a", uid="u", node="gpu-a")


def request(tmp_path: Path, **changes: Any) -> Request:
    fields = {
        "run_id": "r",
        "run_dir": tmp_path,
        "experiment": tmp_path,
        "experiments_root": tmp_path,
        "target": tmp_path,
        "seed": 7,
        "profile": "smoke",
    }
    return Request(**(fields | changes))


def resolved(*targets: ResolvedTarget) -> Resolved:
    return Resolved({"kill": list(targets or [POD])}, {"inference": 3, "gateway": 3}, TIMERS, "v1.36.3", "abc-dirty")


def test_budgets_say_who_set_them(experiment: Experiment) -> None:
    workload = local_target().workloads["realtime-inference"]
    merged = merged_budgets(experiment, workload)
    assert merged == Budgets(
        rto_s=30, rpo_requests=0, availability=0.97, source={"rto_s": "experiment", "rpo_requests": "target", "availability": "experiment"}
    )
    bare = workload.model_copy(update={"budgets": workload.budgets.model_copy(update={"rpo_requests": None, "rto": None})})
    assert merged_budgets(experiment, bare).source["rpo_requests"] == "class default"


def test_the_plan_holds_everything_that_was_decided(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path, command="pytest -m chaos"), experiment, local_target(), resolved())
    assert (plan.run_id, plan.seed, plan.load.seed, plan.command) == ("r", 7, 7, "pytest -m chaos")
    assert plan.targets == (POD,)
    assert (plan.evidence, plan.hypothesis_probes) == (("gone",), ("served",))
    assert plan.replicas_desired == {"inference": 3, "gateway": 3}
    assert plan.load.url == "http://127.0.0.1:18080"
    assert (plan.versions["kubernetes server"], plan.versions["commit"]) == ("v1.36.3", "abc-dirty")
    assert plan.forecast is None  # the fault of the tests has none
    assert plan.target.fidelity.keys() == {"machines", "gpus", "gpu", "nodes"}


def test_the_hold_brings_enough_arrivals_for_the_slo(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path), experiment, local_target(), resolved())
    assert plan.timers.hold_s == pytest.approx((299 + 3 * 299**0.5) / 20)
    assert plan.timers.baseline_s == plan.timers.hold_s
    full = make_plan(request(tmp_path, profile="full"), experiment, local_target(), resolved())
    assert (full.timers.baseline_s, full.timers.hold_s) == (60, 30)


def test_the_deadline_is_the_longest_of_budget_forecast_and_fault_and_says_so() -> None:
    forecast = predict(Effect.NODE_LOST, TIMERS, 75)
    parts = deadline_parts(Budgets(rto_s=30), forecast, 75, 10)
    assert parts == {"budget": 30, "forecast": pytest.approx(1.5 * 82.5), "fault": 75, "hold": 10, "slack": 10}


def test_an_experiment_may_set_deadline_and_hold(experiment_file: Path, tmp_path: Path) -> None:
    experiment_file.write_text(EXPERIMENT.replace("    schema: 1\n", "    deadline: 3m\n    hold: 45s\n"))
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    timers = make_plan(request(tmp_path), experiment, local_target(), resolved()).timers
    assert (timers.deadline_s, timers.hold_s, timers.deadline_parts) == (180, 45, {"experiment": 180})


def test_faults_on_nodes_get_more_time_to_be_proven_and_healed(experiment: Experiment, tmp_path: Path) -> None:
    pods = make_plan(request(tmp_path), experiment, local_target(), resolved(POD)).timers
    nodes = make_plan(request(tmp_path), experiment, local_target(), resolved(NODE)).timers
    assert nodes.confirm_s > pods.confirm_s
    assert nodes.heal_s > pods.heal_s


def test_arrivals_are_scheduled_for_every_phase_at_its_longest(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path), experiment, local_target(), resolved())
    timers = plan.timers
    assert plan.load.horizon_s > 2 * timers.baseline_s + timers.confirm_s + timers.deadline_s + timers.heal_s


def test_a_null_control_has_no_targets_and_no_forecast(experiment_file: Path, tmp_path: Path) -> None:
    experiment_file.write_text(NULL)
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    plan = make_plan(request(tmp_path), experiment, local_target(), Resolved({}, {"inference": 3}, TIMERS))
    assert (plan.targets, plan.evidence, plan.forecast, plan.experiment.fault) == ((), (), None, "none")


def test_more_arrivals_take_longer_and_luck_is_allowed_for() -> None:
    assert span_s(299, 20) == pytest.approx(17.54, abs=0.01)
    assert span_s(299, 200) == pytest.approx(1.754, abs=0.001)


@pytest.mark.parametrize(
    ("effect", "lasts_s", "rto_s", "capacity_s", "dominant"),
    [
        (Effect.POD_DELETED, 0, 0, 15, "load"),
        (Effect.ENGINE_DEAD, 0, 0, 15.2, "load"),
        (Effect.ENGINE_HUNG, 30, 2.8, 35, "start"),  # its liveness probe kills it after 21 s, 2 s start, 12 s load
        (Effect.ENGINE_HUNG, 10, 2.8, 10, "start"),
        (Effect.DEVICE_LOST, 0, 0, 17.2, "load"),  # the first start finds its device
        (Effect.DEVICE_LOST, 45, 0, 59.8, "start"),  # starts at 5.2, 21.5, 47.8: it uses its device 4.8 s later
        (Effect.NODE_DRAINED, 0, 0, 15, "load"),
        (Effect.NODE_LOST, 75, 2.85, 82.5, "evict"),
        (Effect.NODE_LOST, 30, 2.85, 54, "start"),
        (Effect.ZONE_LOST, 75, 3.0, 82.5, "evict"),
        (Effect.POD_CUT, 30, 3.45, 35, "start"),
        (Effect.POD_CUT, 1, 2, 1, "detect"),
    ],
)
def test_the_chain_of_timers_of_each_effect(effect: Effect, lasts_s: float, rto_s: float, capacity_s: float, dominant: str) -> None:
    forecast = predict(effect, TIMERS, lasts_s)
    assert forecast.rto_s == pytest.approx(rto_s)
    assert forecast.capacity_rto_s == pytest.approx(capacity_s)
    assert forecast.dominant == dominant


def test_balancers_that_choose_the_least_busy_replica_learn_by_one_request_each() -> None:
    demand = Demand(20, gateways=3, replicas=3, slo=Slo(ratio=0.99, latency_ms=1000, ttft_ms=700), streamed=0.25, hold_s=15)
    learns = replace(TIMERS, balancer=Checks(0.5, 0.2, 2, 1, retries=True, least_open=True, connect_s=0.5), stall_s=1.5, demand=demand)
    node, hung = predict(Effect.NODE_LOST, learns, 75), predict(Effect.ENGINE_HUNG, learns, 30)
    assert node.rto_range_s is not None
    assert hung.rto_range_s is not None
    assert node.rto_range_s[0] <= node.rto_s <= node.rto_range_s[1] < 1.45  # long before the checks take it out
    assert predict(Effect.ZONE_LOST, learns, 75).rto_range_s is None  # who learns is gone too
    assert predict(Effect.ZONE_LOST, replace(learns, entry=Checks(0.5, 0.5, 2, 0.5)), 75).rto_s == pytest.approx(0.55 + 1.75)
    assert predict(Effect.ZONE_LOST, replace(learns, entry=UNCHECKED), 75).rto_s == pytest.approx(0.55 + 47.5)
    assert predict(Effect.POD_DELETED, learns, 0).rto_range_s is None  # retries cover it, whoever meets it


def test_a_dry_run_says_the_range_of_what_depends_on_chance(experiment_file: Path) -> None:
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    forecast = predict(Effect.NODE_LOST, TIMERS, 75).model_copy(update={"rto_s": 0.54, "rto_range_s": (0.0, 0.82)})
    assert "forecast: RTO 0.5 s (by chance 0.0 to 0.8 s), full capacity" in foretell(plan_of(experiment, forecast=forecast))[-1]


def test_each_part_names_the_settings_that_it_comes_from() -> None:
    node = predict(Effect.NODE_LOST, TIMERS, 75).timers
    assert node["evict"] == "node-monitor-grace-period 50 s, then the pods' toleration 20 s"
    assert node["detect"] == "the gateway's checks: 2 failed ones, every 0.5 s, time-out 1 s"
    assert predict(Effect.NODE_LOST, TIMERS, 30).timers["start"] == "the machine is off for 30 s, then it boots"
    assert predict(Effect.ENGINE_HUNG, TIMERS, 30).timers["start"] == "the liveness probe: 3 failed ones, every 5 s"
    assert predict(Effect.ENGINE_HUNG, TIMERS, 10).timers["start"] == "the fault lasts 10 s"
    assert predict(Effect.DEVICE_LOST, TIMERS, 45).timers["start"] == "the fault lasts 45 s; the kubelet's back-off doubles from 10 s"


def test_a_dry_run_says_the_forecast_with_the_timers_that_dominate(experiment_file: Path) -> None:
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    said = {
        effect: foretell(plan_of(experiment, forecast=predict(effect, TIMERS, 75)))[-1] for effect in (Effect.POD_DELETED, Effect.ZONE_LOST)
    }
    load = "load dominates (as long as the running replicas took)"
    assert said[Effect.POD_DELETED] == f"forecast: users notice nothing, full capacity 15.0 s; {load}"
    timers = "node-monitor-grace-period 50 s, then the pods' toleration 20 s"
    assert said[Effect.ZONE_LOST] == f"forecast: RTO 3.0 s, full capacity 82.5 s; evict dominates ({timers})"


def test_without_a_balancer_kubernetes_alone_takes_the_node_out() -> None:
    bare = PlatformTimers(50, 300, None, None, None, start_s=2, load_s=12)
    assert predict(Effect.NODE_LOST, bare, 600).rto_s == pytest.approx(0.4 + 47.5)
    assert predict(Effect.NODE_LOST, bare, 600).capacity_rto_s == 362.5


def test_every_fault_on_serving_that_we_ship_has_a_forecast() -> None:
    experiments = [read_experiment(file, ROOT / "experiments") for file in (ROOT / "experiments" / "serving").rglob("*.yaml")]
    providers = [action.provider for one in experiments for action in one.document.method]
    assert {f"{one.module}.{one.func}" for one in providers} <= EFFECTS.keys()
