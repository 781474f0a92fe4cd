"""A cluster on which an experiment can be prepared, and requests for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kube.client import Platform
from kube.platform_timers import PlatformTimers
from runner.preflight.queue_gauge import NO_QUEUE
from runner.request import Request
from testing.platform.fake_cluster import ROOT
from testing.runs.runner_cluster import RunnerCluster, serve


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, cluster: RunnerCluster) -> Platform:
    made = serve(monkeypatch, cluster)
    monkeypatch.setattr("runner.run.preflight.connect", lambda _target: made)
    monkeypatch.setattr("runner.preflight.instruments.query", lambda *_: 1.0)
    monkeypatch.setattr("runner.preflight.queue_gauge.queue_source", lambda *_: NO_QUEUE)
    monkeypatch.setattr("runner.drivers.requests.trial.refusals", lambda _load: [])
    monkeypatch.setattr("runner.drivers.requests.driver.read_timers", lambda *_: PlatformTimers(50, 20, start_s=2, load_s=12))
    return made


@pytest.fixture
def request_of(experiment_file: Path, tmp_path: Path) -> Callable[..., Request]:
    def make(**changes: Any) -> Request:
        run_dir = tmp_path / "run"
        run_dir.mkdir(exist_ok=True)
        fields: dict[str, Any] = {
            "run_id": "20261121-120000-pod-killed-1-ab12", "run_dir": run_dir, "experiment": experiment_file,
            "experiments_root": experiment_file.parents[1], "target": ROOT / "targets/local.yaml", "seed": 7, "profile": "smoke",
            "dry_run": True,
        }  # fmt: skip
        return Request(**(fields | changes))

    return make
