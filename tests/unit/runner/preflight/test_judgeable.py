"""A rate at which a run could never pass is refused before anything is offered, with the rate that its budget needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from history.budgets import Budgets
from history.errors import TargetRefused
from history.plan import Plan
from history.workloads import Slo
from runner.drivers.requests.driver import RequestsDriver
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight.judgeable import refuse_blind
from runner.preflight.planning import make_plan
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster, local_target
from testing.runs.runner_parts import plan_of
from tests.unit.runner.preflight.test_budgets import of_slo
from tests.unit.runner.test_planning import TIMERS, request, resolved
from verdict.statistics import arrivals_needed, found_after_s

SERVING = sorted(
    str(file.relative_to(ROOT)) for folder in ("serving", "control") for file in (ROOT / "experiments" / folder).glob("*.yaml")
)


def planned(experiment: Experiment, rate_rps: float, rto_s: float | None, ratio: float = 0.99) -> Plan:
    plan = plan_of(experiment)
    load = plan.requests.load.model_copy(update={"rate_rps": rate_rps})
    budgets = Budgets(rto_s=rto_s, source={"rto_s": "class default"} if rto_s else {})
    changes = {"load": load, "slo": Slo(ratio=ratio, latency_ms=1000), "budgets": budgets}
    return plan.model_copy(update={"workloads": (plan.requests.model_copy(update=changes),)})


def test_a_request_every_ten_seconds_cannot_judge_a_minute(experiment: Experiment) -> None:
    with pytest.raises(TargetRefused) as refused:
        refuse_blind(planned(experiment, 0.1, 60))
    said = str(refused.value)
    assert "realtime-inference offers 0.1 requests/s, at which an outage must last 63 s to be found with 95 % (SLO 0.99)" in said
    assert "RTO budget of 60 s (set by: class default) could never be judged; nothing was injected" in said
    assert "offer at least 0.11 requests/s (rate_rps)" in said
    refuse_blind(planned(experiment, 0.11, 60))


@pytest.mark.parametrize("ratio", [0.9, 0.95, 0.99, 0.999])
def test_the_rate_that_is_named_is_enough(experiment: Experiment, ratio: float) -> None:
    with pytest.raises(TargetRefused) as refused:
        refuse_blind(planned(experiment, 0.01, 10, ratio))
    rate = float(str(refused.value).split("at least ")[1].split(" ")[0])
    assert found_after_s(ratio, rate) <= 10 < found_after_s(ratio, rate / 1.2)


def test_a_budget_that_no_rate_can_judge_is_to_be_raised(experiment: Experiment) -> None:
    with pytest.raises(TargetRefused, match="raise the budget: no rate finds an outage that short"):
        refuse_blind(planned(experiment, 1000, 0.01))


def test_without_an_rto_budget_nothing_is_refused(experiment: Experiment) -> None:
    refuse_blind(planned(experiment, 0.001, None))


def sharing(experiment: Experiment, rate_rps: float, availability: float, over_s: float) -> Plan:
    plan = planned(experiment, rate_rps, None)
    budgets = Budgets(availability=availability, availability_over_s=over_s, source={"availability": "experiment"})
    return plan.model_copy(update={"workloads": (plan.requests.model_copy(update={"budgets": budgets}),)})


def test_a_share_that_its_window_cannot_show_is_refused_with_rate_and_window(experiment: Experiment) -> None:
    with pytest.raises(TargetRefused) as refused:
        refuse_blind(sharing(experiment, 4, 0.99, 30))
    said = str(refused.value)
    assert "realtime-inference offers 4 requests/s, 120 in the 30 s of its availability of 0.99 (set by: experiment)" in said
    assert (
        "which 299 good ones are needed to show; nothing was injected; offer at least 10 requests/s (rate_rps), or budget it over 75 s"
        in said
    )
    refuse_blind(sharing(experiment, 10, 0.99, 30))
    refuse_blind(sharing(experiment, 4, 0.99, 75))


@pytest.mark.parametrize(("rate_rps", "over_s"), [(9, 30), (4, 65)])
def test_a_share_that_luck_alone_may_show_is_not_refused(experiment: Experiment, rate_rps: float, over_s: float) -> None:
    refuse_blind(sharing(experiment, rate_rps, 0.99, over_s))


@pytest.mark.parametrize(("ratio", "rate_rps"), [(0.95, 4.0), (0.95, 2.0), (0.99, 20.0), (0.99, 10.0)])
@pytest.mark.parametrize("name", SERVING)
def test_what_is_shipped_can_be_judged_at_the_rates_of_real_models(name: str, ratio: float, rate_rps: float, tmp_path: Path) -> None:
    target = of_slo(ratio, rate_rps)
    experiment = for_target(read_experiment(ROOT / name, ROOT / "experiments"), target)
    driver = RequestsDriver(FakeCluster().platform(target), experiment.settings.workload)
    found = replace(resolved(), timers={experiment.settings.workload: TIMERS})
    plan = make_plan(request(tmp_path), experiment, target, found, [driver])
    refuse_blind(plan)
    budgets = plan.requests.budgets
    if budgets.availability is not None:
        assert rate_rps * budgets.availability_window_s >= arrivals_needed(budgets.availability)


@pytest.mark.parametrize("name", SERVING)
def test_what_is_shipped_can_be_judged(name: str, tmp_path: Path) -> None:
    target: Target = local_target()
    experiment = for_target(read_experiment(ROOT / name, ROOT / "experiments"), target)
    platform, of_class = FakeCluster().platform(target), experiment.settings.workload
    driver = RequestsDriver(platform, of_class)
    found = replace(resolved(), timers={of_class: TIMERS})
    plan = make_plan(request(tmp_path), experiment, target, found, [driver])
    refuse_blind(plan)
    assert plan.first.budgets.rto_s is not None
