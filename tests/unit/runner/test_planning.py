"""The plan: what was decided, timers and what they are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.budgets import Budgets
from history.errors import ConfigError
from history.plan import ResolvedTarget, Timers
from kube.platform_timers import PlatformTimers
from runner.drivers.choice import read_target
from runner.drivers.driver import Driver, Needs
from runner.drivers.requests.driver import RequestsDriver, span_s
from runner.experiment.absence import absent
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight.budgets import merged_budgets
from runner.preflight.planning import Resolved, deadline_parts, duration_s, make_plan, recovery_at_most_s, timers_of
from runner.request import Request
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.runs.runner_parts import EXPERIMENT, NULL

CLASS = "realtime-inference"
TIMERS = PlatformTimers(node_monitor_s=50, toleration_s=20, start_s=2, load_s=12)
POD = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid="u", node="gpu-a")
NODE = ResolvedTarget(kind="Node", name="gpu-a", uid="u", node="gpu-a")
DEVICE = ResolvedTarget(kind="Device", name="gpu-0", uid="u", node="gpu-a")


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
    return Resolved({"kill": list(targets or [POD])}, {"inference": 3, "gateway": 3}, {CLASS: TIMERS}, "v1.36.3", "abc-dirty")


def drivers(target: Target | None = None) -> list[Driver]:
    return [RequestsDriver(FakeCluster().platform(target or local_target()), CLASS)]


def test_the_plan_holds_everything_that_was_decided(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path, command="pytest -m chaos"), experiment, local_target(), resolved(), drivers())
    assert (plan.run_id, plan.seed, plan.requests.load.seed, plan.command) == ("r", 7, 7, "pytest -m chaos")
    assert plan.targets == (POD,)
    assert (plan.evidence, plan.hypothesis_probes) == (("gone",), ("served",))
    assert plan.replicas_desired == {"inference": 3, "gateway": 3}
    assert plan.requests.load.url == "http://127.0.0.1:18080"
    assert (plan.versions["kubernetes server"], plan.versions["commit"]) == ("v1.36.3", "abc-dirty")
    assert plan.floor is None  # the fault of the tests has none
    assert plan.target.fidelity.keys() == {"machines", "gpus", "gpu", "nodes", "control plane"}


def test_the_hold_brings_enough_arrivals_for_the_slo(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path), experiment, local_target(), resolved(), drivers())
    assert plan.timers.hold_s == pytest.approx((299 + 3 * 299**0.5) / 20)
    assert plan.timers.baseline_s == plan.timers.hold_s
    full = make_plan(request(tmp_path, profile="full"), experiment, local_target(), resolved(), drivers())
    assert (full.timers.baseline_s, full.timers.hold_s) == (60, 30)


def test_the_deadline_is_the_longest_of_budget_recovery_and_fault_and_says_so(experiment: Experiment, tmp_path: Path) -> None:
    parts = deadline_parts([Budgets(rto_s=30)], 84, 75, 10)
    assert parts == {"budget": 90, "recovery": 126, "fault": 75, "hold": 10, "slack": 10}
    timers = make_plan(request(tmp_path), experiment, local_target(), resolved(), drivers()).timers
    assert timers.deadline_parts["recovery"] == 1.5 * (12 + 14)
    assert timers.deadline_s == pytest.approx(3 * 30 + timers.hold_s + 10)


@pytest.mark.parametrize("name", sorted(str(file.relative_to(ROOT)) for file in (ROOT / "experiments").glob("*/*.yaml")))
def test_a_shipped_experiment_that_sets_no_deadline_can_state_a_late_recovery(name: str, tmp_path: Path) -> None:
    written = read_experiment(ROOT / name, ROOT / "experiments")
    target = read_target(ROOT / "targets" / "async.yaml") if absent(written, local_target()) else local_target()
    experiment = for_target(written, target)
    name_, found = experiment.settings.workload, replace(resolved(), timers={experiment.settings.workload: TIMERS})
    kind = target.workloads[name_].kind
    stand_in: Any = SimpleNamespace(name=name_, kind=kind, needs=lambda: Needs(provides_targets=kind == "training"))
    budgets, lasts_s = merged_budgets(experiment, target, stand_in), duration_s(experiment, target)
    timers = timers_of(request(tmp_path), experiment, [stand_in], budgets=[budgets], resolved=found, lasts_s=lasts_s)
    if experiment.settings.deadline is None:
        assert timers.deadline_s >= 3 * max(budgets.rto_s or 0, budgets.capacity_rto_s or 0)
        assert timers.deadline_s >= TIMERS.ready_s + lasts_s + timers.hold_s


@pytest.mark.parametrize(
    ("targets", "lasts_s", "recovery_s"),
    [
        ((POD,), 0, 12 + 14),
        ((POD,), 30, 2 * 30 + 12 + 14),  # a container's back-off is at most as long as the fault
        ((POD, DEVICE), 45, 2 * 45 + 12 + 14),
        ((NODE,), 30, 30 + 12 + 14),  # the machine boots
        ((NODE,), 120, 50 + 20 + 14),  # its pods move before
    ],
)
def test_a_recovery_takes_at_most_what_the_platforms_timers_let_it(
    targets: tuple[ResolvedTarget, ...], lasts_s: float, recovery_s: float
) -> None:
    assert recovery_at_most_s(resolved(*targets), CLASS, lasts_s) == recovery_s


@pytest.mark.parametrize(
    ("name", "profile", "watch_s"),
    [
        ("serving/engine-frozen", "smoke", 20),  # the window of its availability: its RTO budget
        ("serving/engine-frozen", "full", 30 + 30),  # to the end of the fault, and a hold beyond
        ("serving/replica-killed", "full", 18),  # over at once; so long it takes until the SLO's share can be told
        ("control/null-control", "smoke", 30),
    ],
)
def test_how_long_is_watched_at_least(name: str, profile: str, watch_s: float, tmp_path: Path) -> None:
    target = local_target()
    experiment = for_target(read_experiment(ROOT / "experiments" / f"{name}.yaml", ROOT / "experiments"), target)
    timers = make_plan(request(tmp_path, profile=profile), experiment, target, resolved(), drivers()).timers
    assert timers.watch_s == pytest.approx(watch_s, abs=0.01)
    assert timers.deadline_s >= timers.watch_s + timers.hold_s


@pytest.mark.parametrize(
    ("name", "graceful"), [("gateway-leaves", True), ("node-drained", True), ("replica-killed", False), ("engine-frozen", False)]
)
def test_the_plan_says_whether_the_fault_is_graceful(name: str, graceful: bool, tmp_path: Path) -> None:
    target = local_target()
    experiment = for_target(read_experiment(ROOT / f"experiments/serving/{name}.yaml", ROOT / "experiments"), target)
    assert make_plan(request(tmp_path), experiment, target, resolved(), drivers()).graceful is graceful


def test_an_experiment_may_set_deadline_and_hold(experiment_file: Path, tmp_path: Path) -> None:
    experiment_file.write_text(EXPERIMENT.replace("    schema: 1\n", "    deadline: 3m\n    hold: 45s\n"))
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    timers = make_plan(request(tmp_path), experiment, local_target(), resolved(), drivers()).timers
    assert (timers.deadline_s, timers.hold_s, timers.deadline_parts) == (180, 45, {"experiment": 180})


@pytest.mark.parametrize("deadline", ["0", "10s", "5s"])
def test_a_deadline_within_which_nothing_could_be_held_is_refused(experiment_file: Path, tmp_path: Path, deadline: str) -> None:
    experiment_file.write_text(EXPERIMENT.replace("    schema: 1\n", f"    deadline: {deadline}\n    hold: 10s\n"))
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    with pytest.raises(ConfigError, match="are over before a recovery could be held for 10 s, so no run could pass"):
        make_plan(request(tmp_path), experiment, local_target(), resolved(), drivers())


def test_faults_on_nodes_get_more_time_to_be_proven_and_healed(experiment: Experiment, tmp_path: Path) -> None:
    pods = make_plan(request(tmp_path), experiment, local_target(), resolved(POD), drivers()).timers
    nodes = make_plan(request(tmp_path), experiment, local_target(), resolved(NODE), drivers()).timers
    assert nodes.confirm_s > pods.confirm_s
    assert nodes.heal_s > pods.heal_s


def test_healing_has_time_for_replaced_pods_to_leave(experiment: Experiment, tmp_path: Path) -> None:
    def heal_s(grace_s: float) -> float:
        found = replace(resolved(), grace_s=grace_s)
        return make_plan(request(tmp_path), experiment, local_target(), found, drivers()).timers.heal_s

    assert heal_s(35) - heal_s(0) == 35


def test_a_pod_that_leaves_with_its_grace_gets_that_time_to_be_gone(experiment: Experiment, tmp_path: Path) -> None:
    def timers(seen_s: float) -> Timers:
        return make_plan(
            request(tmp_path), experiment, local_target(), resolved(POD.model_copy(update={"seen_s": seen_s})), drivers()
        ).timers

    assert timers(35).confirm_s - timers(0).confirm_s == 35
    assert timers(90).deadline_parts["fault"] == 90 + 14  # and a start, as it was measured
    assert timers(90).deadline_s >= 90 + 14 + timers(90).hold_s
    assert timers(90).fault_s == timers(0).fault_s  # the fault itself is over at once


def test_arrivals_are_scheduled_for_every_phase_at_its_longest(experiment: Experiment, tmp_path: Path) -> None:
    plan = make_plan(request(tmp_path), experiment, local_target(), resolved(), drivers())
    timers = plan.timers
    assert plan.requests.load.horizon_s > 2 * timers.baseline_s + timers.confirm_s + timers.deadline_s + timers.heal_s


def test_a_null_control_has_no_targets_and_no_floor(experiment_file: Path, tmp_path: Path) -> None:
    experiment_file.write_text(NULL)
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    plan = make_plan(request(tmp_path), experiment, local_target(), Resolved({}, {"inference": 3}, {CLASS: TIMERS}), drivers())
    assert (plan.targets, plan.evidence, plan.floor, plan.experiment.fault) == ((), (), None, "none")


def test_more_arrivals_take_longer_and_luck_is_allowed_for() -> None:
    assert span_s(299, 20) == pytest.approx(17.54, abs=0.01)
    assert span_s(299, 200) == pytest.approx(1.754, abs=0.001)
