"""The shipped experiments: valid for Chaos Toolkit, meaningful for the suite, and harmless without it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaoslib.activity import execute_activity
from chaoslib.experiment import ensure_experiment_is_valid

from runner.experiment.catalogue import function_of
from runner.experiment.experiment import Experiment, check_target, read_experiment
from safety.blast_radius import objections, survey
from safety.fault_spec import spec_of
from target.target import Target, load_target
from testing.platform.fake_cluster import FakeCluster, seeded

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "experiments").rglob("*.yaml"))
SERVING = {
    "control/null-control",
    "control/sham-control",
    "serving/engine-frozen",
    "serving/engine-killed",
    "serving/gpu-lost",
    "serving/gpu-node-lost",
    "serving/node-drained",
    "serving/node-silent",
    "serving/replica-killed",
    "serving/replica-partitioned",
    "serving/zone-lost",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT / "experiments").with_suffix("").as_posix()


@cache
def experiment_of(path: Path) -> Experiment:
    return read_experiment(path, ROOT / "experiments")


@cache
def target_of(name: str) -> Target:
    return load_target(ROOT / f"targets/{name}.yaml")


def activities(raw: dict[str, Any]) -> list[dict[str, Any]]:
    evidence = raw["extensions"][0].get("evidence", [])
    return [*raw["steady-state-hypothesis"]["probes"], *raw["method"], *raw.get("rollbacks", []), *evidence]


def test_the_set_is_complete() -> None:
    assert {name(path) for path in FILES} >= SERVING


@pytest.mark.parametrize("path", FILES, ids=name)
def test_chaos_toolkit_finds_it_valid(path: Path) -> None:
    ensure_experiment_is_valid(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=name)
@pytest.mark.parametrize("target", ["local", "staging.example"])
def test_the_suite_finds_it_valid_for_every_shipped_target(path: Path, target: str) -> None:
    check_target(experiment_of(path), target_of(target))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_without_a_live_run_no_activity_does_anything(path: Path) -> None:
    experiment = yaml.safe_load(path.read_text())
    configuration = target_of("local").configuration()
    for activity in activities(experiment):
        run = execute_activity(experiment, activity, configuration=configuration, secrets={}, dry=None)
        assert run["status"] == "failed", activity["name"]
        assert "no live Aftershock run" in "".join(run["exception"]), activity["name"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_its_targets_pass_the_guard_on_a_healthy_platform(path: Path) -> None:
    experiment = experiment_of(path)
    cluster = FakeCluster()
    if experiment.id.startswith(("serving/", "control/")):
        for action in experiment.document.method:
            spec = spec_of(function_of(action.provider))
            assert spec
            targets = spec.resolve(cluster.platform(), action.provider.arguments, seeded(1, action.name))
            platform = cluster.platform()
            assert objections(platform.target, targets, survey(platform, targets), experiment.settings.allow) == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_fault_that_leaves_something_behind_has_a_rollback(path: Path) -> None:
    experiment = experiment_of(path)
    leaves = [action for action in experiment.document.method if action.provider.module not in {"faults.pods", "faults.ranks"}]
    assert bool(experiment.document.rollbacks) == bool(leaves)
