"""A class of training in a target file: how states are compared, how long its job may take, how the reference runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from history.workloads import JobLimits, State
from target.target import load_target
from target.training import TrainingClass

LOCAL = Path(__file__).parents[3] / "targets" / "local.yaml"


def training_class(tmp_path: Path, job: dict[str, Any] | None = None, **fields: Any) -> TrainingClass:
    raw = yaml.safe_load(LOCAL.read_text())
    written = raw["workloads"]["batch-training"]
    written |= fields
    written["job"] |= job or {}
    file = tmp_path / "target.yaml"
    file.write_text(yaml.safe_dump(raw))
    return load_target(file).workload("batch-training", TrainingClass)


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ({"mode": "tolerance", "losses": 1e-3}, State(mode="tolerance", losses=1e-3)),
        ("exact", State()),
        ("none", State(mode="none")),
        ({"mode": "none"}, State(mode="none")),
    ],
)
def test_how_states_are_compared(tmp_path: Path, written: object, state: State) -> None:
    assert training_class(tmp_path, state=written).state == state


def test_a_file_that_says_nothing_means_what_it_meant(tmp_path: Path) -> None:
    found = training_class(tmp_path)
    assert found.state == State(mode="exact")
    assert found.job.limits == JobLimits(pods_s=180, first_step_s=180, reference_s=300, job_s=1800)
    assert found.job.undisturbed == "one_pod"


def test_limits_are_durations_and_read_back_from_a_plan(tmp_path: Path) -> None:
    limits = {"pods": "30m", "first_step": "15m", "reference": "6h", "job": "12h"}
    job = training_class(tmp_path, {"limits": limits, "undisturbed": "same_pods"}).job
    assert job.limits == JobLimits(pods_s=1800, first_step_s=900, reference_s=21_600, job_s=43_200)
    assert type(job).model_validate_json(job.model_dump_json()) == job
