"""Budgets: one declaration each, and what follows from it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from history.budgets import BUDGETS, Bounds, Budgets, class_defaults
from history.kinds import REQUESTS, TRAINING


def test_every_field_declares_its_budget() -> None:
    assert BUDGETS.keys() | {"availability_over_s", "because"} == Bounds.model_fields.keys(), "the window is written with its share"
    assert all(budget.title and budget.unit and budget.definition.endswith(".") for budget in BUDGETS.values())
    assert all(Bounds.model_fields[name].default is None for name in BUDGETS), "old plans lack a newer budget"


def test_files_and_plans_spell_a_budget_as_it_is_declared() -> None:
    written = {budget.written: budget.name for budget in BUDGETS.values()}
    assert (written["rto"], written["capacity_rto"], written["rpo_steps"]) == ("rto_s", "capacity_rto_s", "rpo_steps")
    assert Bounds.model_validate({"rto": "1m30s"}, by_alias=True, by_name=False).values() == {"rto_s": 90.0}
    with pytest.raises(ValidationError, match="rto_s"):
        Bounds.model_validate({"rto_s": 90}, by_alias=True, by_name=False)


@pytest.mark.parametrize(
    ("said", "share", "over_s"), [("97%", 0.97, None), ("97% over 60s", 0.97, 60), ("97 % over 1m30s", 0.97, 90), (0.97, 0.97, None)]
)
def test_an_availability_may_name_its_window(said: object, share: float, over_s: float | None) -> None:
    read = Bounds.model_validate({"availability": said}, by_alias=True, by_name=False)
    assert (read.availability, read.availability_over_s) == (share, over_s)
    assert Budgets.model_validate_json(Budgets(**read.settings()).model_dump_json(by_alias=True)).availability_over_s == over_s


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"availability": "97% over"}, "is not a share"),
        ({"availability": "97% over soon"}, "'soon' is not a duration"),
        ({"availability": "97% over 0s"}, "has no window"),
        ({"availability": "970% over 60s"}, "is not a share"),
        ({"availability_over": "60s"}, "write availability: 97% over 60s"),
    ],
)
def test_a_window_that_says_nothing_is_refused(said: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Bounds.model_validate(said, by_alias=True, by_name=False)


def test_the_window_of_availability_is_its_own_or_the_rto_or_a_minute() -> None:
    bounds = Bounds(availability=0.9, availability_over_s=20, rto_s=5), Bounds(availability=0.9, rto_s=5), Bounds(availability=0.9)
    assert [one.availability_window_s for one in bounds] == [20, 5, 60]
    assert (bounds[0].watched_s(), Bounds(rto_s=5).watched_s()) == (20, 0)


def test_what_an_older_plan_says_is_still_read() -> None:
    stored = '{"rto_s": 30.0, "rpo_requests": 0, "availability": null, "p95_ratio": 1.5, "source": {"rto_s": "experiment"}}'
    read = Budgets.model_validate_json(stored)
    assert read == Budgets(rto_s=30, rpo_requests=0, p95_ratio=1.5, source={"rto_s": "experiment"})
    assert Budgets.model_validate_json(read.model_dump_json(by_alias=True)) == read


def test_a_run_waits_for_what_is_allowed_after_the_fault() -> None:
    assert Bounds(rto_s=5, capacity_rto_s=60, rpo_steps=900).awaited_s() == 60
    assert Bounds(rpo_steps=900).awaited_s() == 0
    assert (Bounds(rto_s=5).needs_capacity(), Bounds(capacity_rto_s=0).needs_capacity()) == (False, True)


@pytest.mark.parametrize(
    ("bounds", "kind", "wrong"),
    [
        (Bounds(rto_s=5, availability=0.9), REQUESTS, []),
        (Bounds(rto_s=5, rpo_steps=0), TRAINING, []),
        (Bounds(rto_s=5, rpo_steps=0), REQUESTS, ["rpo_steps"]),
        (Bounds(capacity_rto_s=5, p95_ratio=2), TRAINING, ["p95_ratio", "capacity_rto"]),
        (Bounds(rto_s=5, rpo_requests=0), "counter", ["rpo_requests"]),
    ],
)
def test_a_budget_of_another_kind_of_workload_is_told(bounds: Bounds, kind: str, wrong: list[str]) -> None:
    assert [name for name, _ in bounds.misplaced(kind)] == wrong


def test_a_misplaced_budget_is_told_with_what_fits() -> None:
    ((_, said),) = Bounds(rpo_requests=0).misplaced("counter")
    assert said.startswith("budget rpo_requests means nothing for a workload of kind 'counter'; leave it out; ")
    assert "what can be budgeted there: rto" in said


def test_a_class_has_defaults_of_its_kind() -> None:
    assert class_defaults("realtime-inference", REQUESTS) == {"rto_s": 60, "rpo_requests": 0}
    assert class_defaults("realtime-inference", TRAINING) == {"rto_s": 60}
    assert class_defaults("mine", REQUESTS) == {}


def test_a_reason_is_kept_with_the_name_that_files_have() -> None:
    read = Bounds.model_validate({"rto": "30s", "because": {"rto": "users give up"}}, by_alias=True, by_name=False)
    assert (read.values(), read.because) == ({"rto_s": 30.0}, {"rto": "users give up"})
    stored = Budgets(**read.settings(), because=read.because)
    assert Budgets.model_validate_json(stored.model_dump_json(by_alias=True)) == stored


def test_a_reason_for_what_is_not_budgeted_is_refused() -> None:
    with pytest.raises(ValidationError, match="because: rpo_jobs is not budgeted here; budgeted are rto"):
        Bounds.model_validate({"rto": "30s", "because": {"rpo_jobs": "none is lost"}}, by_alias=True, by_name=False)
