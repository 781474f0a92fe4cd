"""Registration: what is measured and checked of which kind of workload, in which order, and a kind that brings its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest

from history.budgets import BUDGETS, Budgets
from history.kinds import ASYNC, EVERY, REQUESTS, TRAINING
from history.result import Check, Verdict
from history.workloads import WorkloadPlan
from reports import names
from testing.histories import training_stories
from tests.unit.verdict.conftest import HIT, NULL, run_of
from verdict import definitions, judge
from verdict.case import Case, case_of
from verdict.judge import verdict_of
from verdict.registered import ORDER, all_checks, all_measures, check_named, checks_of, measures_of, modules
from verdict.shared import registry
from verdict.shared.registry import Cause, Role, Value, check, measure
from verdict.shared.results import failed, inconclusive, passed

GATES = ["fault", "evidence"]
OWN = ["hypothesis", "heal", "instruments", "stopped"]


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "CHECKS", [*registry.CHECKS])
    monkeypatch.setattr(registry, "MEASURES", [*registry.MEASURES])


def made(run: object) -> list[str]:
    return [one.name for one in judge(run).checks]


def test_only_checks_of_requests_follow_from_arrivals() -> None:
    assert {spec.kind for spec in all_checks() if spec.felt} == {REQUESTS}


def test_checks_come_in_the_order_in_which_people_read_them() -> None:
    budgets = ["rto", "latency", "capacity_rto", "availability"]
    assert made(run_of(HIT)) == [*budgets, "interrupted", "rpo_requests", *OWN, "history", "load", "baseline", *GATES]
    assert made(run_of(NULL)) == [*budgets, "impact", "rpo_requests", *OWN, "history", "load", "baseline", *GATES]
    of_training = ["rto", "rpo_steps", "rpo_samples", "checkpoints", "state", "samples", "writers", *OWN, "ledger", "baseline", *GATES]
    assert made(training_stories.run_of(training_stories.Story())) == of_training


def test_the_order_of_registration_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    checks, measures = all_checks(), all_measures()
    for table in ("CHECKS", "MEASURES"):
        of_modules = [list(group) for _, group in groupby(getattr(registry, table), key=lambda one: one.function.__module__)]
        monkeypatch.setattr(registry, table, [one for module in reversed(of_modules) for one in module])
    assert (all_checks(), all_measures()) == (checks, measures)
    assert set(ORDER) <= set(modules())


@pytest.mark.parametrize("kind", [REQUESTS, TRAINING])
def test_every_budget_has_its_check_where_it_means_something(kind: str) -> None:
    judged = [spec.budget.name for spec in checks_of(kind) if spec.budget]
    assert sorted(judged) == sorted(name for name, budget in BUDGETS.items() if budget.fits(kind))


def test_checks_of_one_name_are_called_and_weighed_alike() -> None:
    assert [spec for spec in all_checks() if (one := check_named(spec.name)) and (spec.title, spec.cause) != (one.title, one.cause)] == []
    assert [spec.name for spec in all_checks() if not spec.title or not spec.definition] == []


def bring_a_kind() -> None:
    """Register what a driver of a counter would bring: a measurement, a gate and a check against a budget that is there."""

    @measure("numbers", "counter")
    def numbers_counted(_case: Case) -> Value:
        """Count numbers. Source: nothing."""
        return Value(7.0)

    @check("counter", Role.GATE, title="Nothing left out", cause=Cause.RECORD)
    def complete_count(case: Case) -> Check:
        """Check that no number was left out."""
        whole = not case.run.torn
        return passed("complete_count", "No number is missing.") if whole else inconclusive("complete_count", "A number is missing.")

    @check("counter", Role.RESTING, budget="rto_s")
    def rto(_case: Case) -> Check:
        """Check that counting went on in time."""
        return failed("rto", "Counting never went on.")


@pytest.mark.usefixtures("fresh")
def test_a_kind_of_workload_brings_its_own_checks_and_measurements() -> None:
    before = judge(run_of(HIT))
    bring_a_kind()
    case = replace(case_of(run_of(HIT)), workload=WorkloadPlan(kind="counter", name="counting"))
    verdict = verdict_of(case)
    assert [one.name for one in verdict.checks] == ["rto", *OWN, *GATES, "complete_count"]
    assert (verdict.verdict, verdict.sentence) == (Verdict.FAIL, "Counting never went on.")
    assert {one.name for one in verdict.measurements} == {
        "rto", "rto_resolution", "time_to_confirm", "time_to_detection", "suite_detection", "numbers_counted"
    }  # fmt: skip
    torn = verdict_of(replace(case, run=replace(case.run, torn=("count",))))
    assert torn.checks[0].sentence == "Not judged, because of complete_count; what the record shows: Counting never went on."
    assert torn.sentence.startswith("A number is missing.")
    assert judge(run_of(HIT)) == before


def test_a_budget_that_no_check_of_its_kind_judges_is_never_met_unseen() -> None:
    workload = WorkloadPlan(kind="counter", name="counting", budgets=Budgets(rto_s=10))
    verdict = verdict_of(replace(case_of(run_of(HIT)), workload=workload))
    (check,) = [one for one in verdict.checks if one.name == "rto"]
    assert check.verdict is verdict.verdict is Verdict.INCONCLUSIVE
    assert check.sentence.startswith("No check of a workload of kind 'counter' judges this budget")


def test_a_workload_that_nothing_judges_is_not_passed() -> None:
    counter = WorkloadPlan(kind="counter", name="counting")
    alone = verdict_of(replace(case_of(run_of(HIT)), workload=counter))
    assert (alone.verdict, alone.checks[-1].name) == (Verdict.INCONCLUSIVE, "judged")
    assert alone.sentence == "Nothing of counting was judged: no check of a workload of kind 'counter' is registered."
    assert "judged" not in made(run_of(HIT))


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_workloads_the_order_changes_neither_the_verdict_nor_the_errors_that_are_told(first: int) -> None:
    run, training = run_of(HIT), training_stories.run_of(training_stories.Story())
    plans = [run.plan.workloads[0], training.plan.workloads[0]]
    both = (plans[first], plans[1 - first])
    verdict = judge(replace(run, plan=run.plan.model_copy(update={"workloads": both}), ledgers=training.ledgers))
    checked = sorted((one.workload, one.name) for one in verdict.checks)
    assert len(checked) == len(set(checked))
    assert {name for workload, name in checked if not workload} == {*OWN, *GATES}
    assert verdict.verdict is Verdict.INCONCLUSIVE  # the steps of another run lie outside this one's baseline
    assert verdict.errors == judge(run).errors
    assert verdict.errors


def test_a_kind_of_which_nobody_says_how_it_recovers_is_told() -> None:
    case = replace(case_of(run_of(HIT)), workload=WorkloadPlan(kind="counter", name="counting"), recovery=None)
    (check,) = [one for one in verdict_of(case).checks if one.name == "hypothesis"]
    assert (check.verdict, check.sentence.rpartition(": ")[2]) == (
        Verdict.INCONCLUSIVE,
        "nobody says how a workload of kind 'counter' recovers.",
    )


@pytest.mark.usefixtures("fresh")
def test_the_report_knows_what_a_kind_brings() -> None:
    bring_a_kind()
    texts = dict(definitions())
    assert texts["numbers_counted"] == "Count numbers. Source: nothing. Unit: numbers."
    assert texts["check complete_count"] == "Check that no number was left out."
    assert "\n\nOf a workload of kind 'counter': Check that counting went on in time." in texts["check rto"]
    assert (names.label("complete_count"), names.of_measurement("complete_count")) == ("Nothing left out", True)


def test_what_a_kind_brought_is_gone() -> None:
    assert check_named("complete_count") is None
    assert names.label("complete_count") == "Complete count"
    assert {one.kind for one in (*all_checks(), *all_measures())} == {EVERY, REQUESTS, TRAINING, ASYNC}
    assert {one.name for one in measures_of("counter")} == {
        "rto",
        "rto_resolution",
        "time_to_confirm",
        "time_to_detection",
        "suite_detection",
    }


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("name", "kind", "budget", "said"),
    [
        ("fault", "counter", "", "verdict.shared.checks_before registered this name for every kind; give it another name"),
        ("rto", TRAINING, "", "verdict.training.checks registered this name for a training job"),
        ("baseline", EVERY, "", "registered this name for"),
        ("late", REQUESTS, "rto", "check late judges budget 'rto', which history/budgets.py does not declare; it has rto_s,"),
        ("late", TRAINING, "availability", "check late of a training job judges budget 'availability', which is declared for"),
    ],
)
def test_a_registration_that_cannot_be_meant_is_refused(name: str, kind: str, budget: str, said: str) -> None:
    def function(_case: Case) -> None:
        """Check nothing."""

    function.__name__ = name
    known = list(registry.CHECKS)
    with pytest.raises(ValueError, match=r".") as wrong:
        check(kind, Role.OWN, budget=budget)(function)
    assert said in str(wrong.value)
    assert known == registry.CHECKS


@pytest.mark.usefixtures("fresh")
def test_a_measurement_of_a_name_that_is_taken_is_refused() -> None:
    def rto(_case: Case) -> Value:
        """Measure nothing."""
        return Value(None)

    with pytest.raises(ValueError, match=r"verdict\.shared\.users registered this name for every kind"):
        measure("s", "counter")(rto)
