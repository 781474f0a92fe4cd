"""The shipped experiments: valid for Chaos Toolkit, meaningful for the suite, and harmless without it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from chaoslib.activity import execute_activity
from chaoslib.experiment import ensure_experiment_is_valid
from kubernetes import client

from history.failure_modes import modes_of
from history.plan import Timers
from kube.selection import INDEX
from runner.drivers.choice import read_target
from runner.experiment.catalogue import function_of
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from safety.active_run import ActiveRun
from safety.blast_radius import objections
from safety.fault_spec import spec_of
from safety.surroundings import survey
from safety.undo_journal import UndoKind
from target.target import Target
from testing.platform.fake_cluster import FakeCluster, pod, seeded
from testing.platform.fake_run import live_run

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


ASYNC = "async"
"""The folder, and the target, of what runs on asynchronous inference."""


def name(path: Path) -> str:
    return path.relative_to(ROOT / "experiments").with_suffix("").as_posix()


@cache
def experiment_of(path: Path) -> Experiment:
    return read_experiment(path, ROOT / "experiments")


@cache
def target_of(name: str) -> Target:
    return read_target(ROOT / f"targets/{name}.yaml")


def targets_of(path: Path) -> tuple[str, ...]:
    """Return the shipped targets that have what an experiment needs."""
    return (
        (ASYNC,)
        if path.parent.name == ASYNC
        else ("local", "staging.example", ASYNC)
        if path.parent.name in BOTH and path.stem not in FETCHING
        else ("local", "staging.example")
    )


BOTH = {"control", "serving"}
FETCHING = {"weights-damaged", "weights-unavailable"}
"""What needs the stores of a model, too."""


def activities(raw: dict[str, Any]) -> list[dict[str, Any]]:
    evidence = raw["extensions"][0].get("evidence", [])
    return [*raw["steady-state-hypothesis"]["probes"], *raw["method"], *raw.get("rollbacks", []), *evidence]


def test_the_set_is_complete() -> None:
    assert {name(path) for path in FILES} >= SERVING


@pytest.mark.parametrize("path", FILES, ids=name)
def test_chaos_toolkit_finds_it_valid(path: Path) -> None:
    ensure_experiment_is_valid(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_the_suite_finds_it_valid_for_every_shipped_target(path: Path) -> None:
    for target in targets_of(path):
        assert for_target(experiment_of(path), target_of(target)).hypothesis.probes, target


PROMISES = {"capacity must": "capacity_rto_s", "back with a new engine": "capacity_rto_s", "no step may be lost": "rpo_steps"}
"""What a description says must be, and the budget that judges it."""


@pytest.mark.parametrize("path", FILES, ids=name)
def test_what_a_description_promises_is_budgeted(path: Path) -> None:
    experiment = experiment_of(path)
    said = " ".join(experiment.document.description.split()).lower()
    judged = experiment.settings.budgets.values()
    assert not [promise for promise, budget in PROMISES.items() if promise in said and budget not in judged]


def test_a_lost_zones_capacity_is_back_before_the_zone_is() -> None:
    experiment = experiment_of(ROOT / "experiments/serving/zone-lost.yaml")
    (action,) = experiment.document.method
    assert experiment.settings.budgets.values()["capacity_rto_s"] <= action.provider.arguments["for_s"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_without_a_live_run_no_activity_does_anything(path: Path) -> None:
    target = target_of(targets_of(path)[0])
    experiment, configuration = for_target(experiment_of(path), target).raw, target.configuration()
    for activity in activities(experiment):
        run = execute_activity(experiment, activity, configuration=configuration, secrets={}, dry=None)
        assert run["status"] == "failed", activity["name"]
        assert "no live Aftershock run" in "".join(run["exception"]), activity["name"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_its_targets_are_within_the_blast_radius_on_a_healthy_platform(path: Path) -> None:
    experiment = experiment_of(path)
    cluster = whole_cluster() if path.stem in FETCHING else FakeCluster()
    if path.parent.name in BOTH:
        for action in experiment.document.method:
            spec = spec_of(function_of(action.provider))
            assert spec
            targets = spec.resolve(cluster.platform(), action.provider.arguments, seeded(1, action.name))
            platform = cluster.platform()
            assert objections(platform.target, targets, survey(platform, targets), experiment.settings.allow) == []


class ItActs(BaseException):
    """Raised in place of a fault's effect: what is not in the journal by then is undone by nobody."""


def acts(*_: object) -> None:
    raise ItActs


def whole_cluster() -> FakeCluster:
    """The fake cluster with the pods of training, too: ranks, stores with a disk and a port, the tracking server."""
    cluster = FakeCluster()
    cluster.namespaces["ml-training"] = cluster.namespaces["ml-serving"]  # its consent
    apps = [("trainer", zone) for zone in "abc"] + [("s3", zone) for zone in "ab"] + [("tracking", "a")]
    for number, (app, zone) in enumerate(apps):
        made = pod(f"{app}-{zone}", f"cpu-{zone}", namespace="ml-training", app=app, owner="Job")
        made.metadata.labels[INDEX] = str(number)
        container, mount = made.spec.containers[0], client.V1VolumeMount(name="data", mount_path="/data")
        container.name, container.volume_mounts, container.ports = app, [mount], [client.V1ContainerPort(container_port=7070)]
        made.status.container_statuses[0].name = app
        cluster.pods["ml-training", made.metadata.name] = made
    for app, container in (("async-consumer", "consumer"), ("redis", "redis")):
        made = pod(f"{app}-0", "cpu-b", namespace="ml-async", app=app)
        made.spec.containers[0].name = made.status.container_statuses[0].name = container
        cluster.pods["ml-async", made.metadata.name] = made
    return cluster


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_fault_journals_how_it_is_undone_or_ends_before_it_acts(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActiveRun, "fault_starts", acts)
    monkeypatch.setattr("faults.mechanisms.fault_pod.create", acts)
    monkeypatch.setattr("kube.ephemeral.add", acts)
    monkeypatch.setattr("faults.mechanisms.timer_job.start", acts)
    monkeypatch.setattr("faults.mechanisms.load_generator.Generator", Mock())
    for action in experiment_of(path).document.method:
        function, cluster = function_of(action.provider), whole_cluster()
        spec = spec_of(function)
        assert spec
        platform = cluster.platform(target_of(targets_of(path)[0]))
        targets = {action.name: spec.resolve(platform, action.provider.arguments, seeded(1))}
        timers = Timers(baseline_s=15, hold_s=10, confirm_s=30, deadline_s=60, heal_s=60)
        run = live_run(cluster, tmp_path, targets, platform.target, seed=1, training=SimpleNamespace(job="job", settings={}), timers=timers)
        with pytest.raises(ItActs):
            function(**action.provider.arguments)
        entries = run.journal.entries()
        assert entries, action.name
        assert [one for one in entries if one.kind is UndoKind.NOTHING and not one.self_ends] == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_rollback_does_work_that_the_journal_cannot(path: Path) -> None:
    rollbacks = {f"{one.provider.module}.{one.provider.func}" for one in experiment_of(path).document.rollbacks}
    assert rollbacks <= {"faults.training_data.restore"}  # it says how long each step of the restore took


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_experiment_names_a_failure_mode_that_can_hurt_its_class(file: Path) -> None:
    experiment = experiment_of(file)
    modes = modes_of(experiment.document.tags)
    assert modes, f"{experiment.id}: no tag of it is in history/failure_modes.py"
    classes = target_of(targets_of(file)[0]).workloads
    kinds = {classes[name].kind for name in experiment.settings.workloads}
    assert all(kinds & set(mode.kinds) for mode in modes)
