"""An experiment file to change, a run that phases can work on, and no signal handler or live run left from test to test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from history.plan import Plan
from kube.client import Platform
from runner.event_log import RunLog
from runner.experiment.experiment import Experiment, read_experiment
from runner.run.context import Context
from runner.run.phases import baseline
from runner.run.toolkit_journal import ToolkitJournal
from runner.stop import Stop
from safety import active_run
from testing.platform.fake_cluster import local_target
from testing.platform.fake_run import Journal
from testing.runs.runner_cluster import RunnerCluster, serve
from testing.runs.runner_parts import EXPERIMENT, Sent, plan_of, scripted


@pytest.fixture(autouse=True)
def clean_process() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)}
    scripted.clear()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def experiment_file(tmp_path: Path) -> Path:
    file = tmp_path / "experiments" / "serving" / "pod-killed.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(EXPERIMENT)
    return file


@pytest.fixture
def experiment(experiment_file: Path) -> Experiment:
    return read_experiment(experiment_file, experiment_file.parents[1])


@pytest.fixture
def cluster() -> RunnerCluster:
    return RunnerCluster()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, cluster: RunnerCluster) -> Platform:
    return serve(monkeypatch, cluster)


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path)


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def context(tmp_path: Path, experiment: Experiment, cluster: RunnerCluster, sent: Sent) -> Context:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    plan: Plan = plan_of(experiment)
    log = RunLog(run_dir)
    journal: Any = Journal(cluster)
    run = active_run.ActiveRun(
        plan=plan,
        run_dir=run_dir,
        platforms={"default": cluster.platform(local_target())},
        journal=journal,
        log=log,
        targets={"kill": list(plan.targets)},
    )
    active_run.activate(run)
    return Context(
        run=run, experiment=experiment, configuration={}, stop=Stop(), send=sent, toolkit_journal=ToolkitJournal(experiment.raw), log=log
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases look far more often than in a run."""
    monkeypatch.setattr(baseline, "PERIOD_S", 0.02)
    monkeypatch.setattr(baseline, "WARM_S", 0.2)
    monkeypatch.setattr("runner.run.phases.observe.PERIOD_S", 0.02)
    monkeypatch.setattr("runner.run.phases.confirm.PERIOD_S", 0.02)
    monkeypatch.setattr("runner.run.phases.heal.PERIOD_S", 0.02)
