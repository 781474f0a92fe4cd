"""Which experiments drain a role, how long that may take, and a role of which the target says that it cannot be drained."""

from __future__ import annotations

import pytest

from runner.experiment.absence import why_skipped
from runner.experiment.drains import DRAIN_BUDGET_S, drain_budget_s, drains
from runner.experiment.experiment import Experiment, read_experiment
from target.target import Target
from testing.platform.fake_cluster import ROOT, local_target

SHIPPED = ROOT / "experiments"


def read(name: str) -> Experiment:
    return read_experiment(SHIPPED / f"{name}.yaml", SHIPPED)


def target_with(**role: object) -> Target:
    """Return the local target whose role inference says more."""
    target = local_target()
    changed = target.roles["inference"].model_copy(update=role)
    return target.model_copy(update={"roles": target.roles | {"inference": changed}})


def test_a_drain_is_what_is_graceful_and_displaces() -> None:
    drained = [file.stem for file in sorted(SHIPPED.glob("*/*.yaml")) if list(drains(read(f"{file.parent.name}/{file.stem}")))]
    assert drained == ["node-drained"]
    assert list(drains(read("serving/node-drained"))) == ["inference"]


@pytest.mark.parametrize(("given", "budget_s"), [(None, DRAIN_BUDGET_S), (600.0, 600.0)])
def test_the_budget_is_the_roles_or_what_a_cloud_allows(given: float | None, budget_s: float) -> None:
    assert drain_budget_s(read("serving/node-drained"), target_with(drain_budget=given)) == budget_s
    assert drain_budget_s(read("serving/replica-killed"), target_with(drain_budget=given)) is None


def test_a_role_that_cannot_be_drained_is_left_out_by_the_targets_own_reason() -> None:
    target = target_with(not_drainable="it holds sessions of an hour")
    assert why_skipped(read("serving/node-drained"), target) == (
        "role inference is not to be drained: it holds sessions of an hour (not_drainable in the target file)"
    )
    assert why_skipped(read("serving/replica-killed"), target) == ""
    assert why_skipped(read("serving/node-drained"), target_with()) == ""
