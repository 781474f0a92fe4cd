"""The budgets of a run: who set each and why, class default < target < experiment < target for this experiment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from history.budgets import Bounds, Budgets
from runner.drivers.driver import Driver
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import Experiment, read_experiment
from runner.preflight.budgets import merged_budgets
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target

CLASS = "realtime-inference"


def drivers(target: Target | None = None) -> list[Driver]:
    return [RequestsDriver(FakeCluster().platform(target or local_target()), CLASS)]


def test_budgets_say_who_set_them(experiment: Experiment) -> None:
    target = local_target()
    merged = merged_budgets(experiment, target, drivers()[0])
    assert merged == Budgets(
        rto_s=30,
        rpo_requests=0,
        availability=0.97,
        availability_over_s=15,
        source={"rto_s": "experiment", "rpo_requests": "target", "availability": "experiment"},
    )
    workload = target.workloads[CLASS]
    bare = workload.model_copy(update={"budgets": workload.budgets.model_copy(update={"rpo_requests": None, "rto_s": None})})
    without = target.model_copy(update={"workloads": {CLASS: bare}})
    assert merged_budgets(experiment, without, drivers(without)[0]).source["rpo_requests"] == "class default"


def of_slo(ratio: float, rate_rps: float) -> Target:
    target = local_target()
    workload: Any = target.workloads[CLASS]
    changes = {"slo": workload.slo.model_copy(update={"ratio": ratio}), "load": workload.load.model_copy(update={"rate_rps": rate_rps})}
    return target.model_copy(update={"workloads": target.workloads | {CLASS: workload.model_copy(update=changes)}})


@pytest.mark.parametrize(
    ("ratio", "asked", "source"),
    [(0.99, 0.97, "experiment"), (0.97, 0.97, "experiment"), (0.95, 0.95, "the SLO, which promises no more; experiment: 0.97")],
)
def test_an_experiment_asks_for_no_better_availability_than_the_slo_promises(
    experiment: Experiment, ratio: float, asked: float, source: str
) -> None:
    target = of_slo(ratio, 20)
    merged = merged_budgets(experiment, target, drivers(target)[0])
    assert (merged.availability, merged.source["availability"]) == (asked, source)


def test_the_targets_own_availability_is_kept_even_above_its_slo(experiment: Experiment) -> None:
    target = of_slo(0.95, 20)
    strict = target.workloads[CLASS].model_copy(update={"budgets_in": {experiment.id: Bounds(availability=0.99)}})
    target = target.model_copy(update={"workloads": target.workloads | {CLASS: strict}})
    assert merged_budgets(experiment, target, drivers(target)[0]).availability == 0.99


@pytest.mark.parametrize(("rate_rps", "over_s"), [(20, 30), (4, 88), (1, 351)])
def test_a_controls_window_is_as_long_as_its_claim_needs_and_a_faults_stays_as_written(rate_rps: float, over_s: float) -> None:
    target, folder = of_slo(0.99, rate_rps), ROOT / "experiments"
    control = read_experiment(folder / "control" / "null-control.yaml", folder)
    assert merged_budgets(control, target, drivers(target)[0]).availability_over_s == over_s
    killed = read_experiment(folder / "serving" / "replica-killed.yaml", folder)
    written = killed.settings.budgets.model_copy(update={"availability_over_s": 15.0})
    killed = replace(killed, settings=killed.settings.model_copy(update={"budgets": written}))
    assert merged_budgets(killed, target, drivers(target)[0]).availability_over_s == 15


def test_a_target_may_say_other_budgets_for_one_experiment_and_the_plan_says_in_the_place_of_what(experiment: Experiment) -> None:
    target = local_target()
    slow = target.workloads[CLASS].model_copy(update={"budgets_in": {experiment.id: Bounds(rto_s=90, capacity_rto_s=240)}})
    target = target.model_copy(update={"workloads": target.workloads | {CLASS: slow}})
    merged = merged_budgets(experiment, target, drivers()[0])
    assert (merged.rto_s, merged.capacity_rto_s, merged.availability) == (90, 240, 0.97)
    assert merged.source["rto_s"] == "target for this experiment, in the place of 30 s"
    assert merged.source["capacity_rto_s"] == "target for this experiment, which names none"
    assert merged.source["availability"] == "experiment"


def because(bounds: Bounds, **why: str) -> Bounds:
    return bounds.model_copy(update={"because": why})


def test_a_reason_goes_with_the_value_that_it_explains(experiment: Experiment) -> None:
    target = local_target()
    workload = target.workloads[CLASS]
    own = because(experiment.settings.budgets, rto="balancers notice at once", availability="one replica of three")
    reasoned = replace(experiment, settings=experiment.settings.model_copy(update={"budgets": own}))
    said = workload.model_copy(update={"budgets": because(workload.budgets, rto="users give up", rpo_requests="no wrong answer is cheap")})
    target = target.model_copy(update={"workloads": target.workloads | {CLASS: said}})
    merged = merged_budgets(reasoned, target, drivers(target)[0])
    assert merged.because == {
        "rto": "balancers notice at once",
        "availability": "one replica of three",
        "rpo_requests": "no wrong answer is cheap",
    }


def test_the_reason_for_a_value_that_was_replaced_is_not_shown(experiment: Experiment) -> None:
    target = of_slo(0.95, 20)
    own = because(experiment.settings.budgets, rto="balancers notice at once", availability="one replica of three")
    reasoned = replace(experiment, settings=experiment.settings.model_copy(update={"budgets": own}))
    slow = target.workloads[CLASS].model_copy(update={"budgets_in": {experiment.id: Bounds(rto_s=90, capacity_rto_s=240)}})
    target = target.model_copy(update={"workloads": target.workloads | {CLASS: slow}})
    merged = merged_budgets(reasoned, target, drivers(target)[0])
    assert merged.source["availability"].startswith("the SLO")
    assert merged.because == {}
