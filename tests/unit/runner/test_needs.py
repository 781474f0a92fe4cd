"""An experiment about the content of answers is none for a target that knows no right ones: it is skipped, and never passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from history.errors import ConfigError
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.needs import unanswerable
from runner.experiment.steady_state import for_target
from target.requests import RequestsClass
from target.target import Target
from testing.platform.fake_cluster import local_target
from testing.runs.runner_parts import EXPERIMENT

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
USERS = "realtime-inference"
SAID = "it is about the content of answers, and target local knows no right answers of "


def about(folder: Path, text: str = EXPERIMENT, needs: str = "needs: [answers]") -> Experiment:
    """Return an experiment with a line more in its extension."""
    file = folder / "experiments" / "serving" / "content.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace("    schema: 1\n", f"    schema: 1\n    {needs}\n"))
    return read_experiment(file, file.parents[1])


def asking(folder: Path, prompts: str) -> Target:
    """Return the local target with these prompts."""
    file = folder / "asked.jsonl"
    file.write_text(prompts)
    target = local_target()
    users = target.workload(USERS, RequestsClass)
    load = users.load.model_copy(update={"prompts": str(file)})
    return target.model_copy(update={"workloads": target.workloads | {USERS: users.model_copy(update={"load": load})}})


def test_it_is_skipped_where_no_right_answer_is_known(tmp_path: Path) -> None:
    experiment, target = about(tmp_path), asking(tmp_path, '{"prompt": "a"}\n')
    assert unanswerable(experiment, target).startswith(f"{SAID}{USERS}; ")
    with pytest.raises(ConfigError, match=r"content\.yaml:\d+: needs: it is about the content of answers"):
        for_target(experiment, target)


@pytest.mark.parametrize("prompts", ['{"prompt": "a", "completion": "b"}\n', "a file that preflight refuses\n"])
def test_it_is_run_where_they_are_known(tmp_path: Path, prompts: str) -> None:
    experiment, target = about(tmp_path), asking(tmp_path, prompts)
    assert unanswerable(experiment, target) == ""
    assert for_target(experiment, target).id == experiment.id


def test_others_are_run_whatever_is_known(tmp_path: Path) -> None:
    assert unanswerable(about(tmp_path, needs="deadline: auto"), asking(tmp_path, '{"prompt": "a"}\n')) == ""


def test_of_the_shipped_ones_damaged_weights_mean_nothing_where_no_right_answer_is_known(tmp_path: Path) -> None:
    unknown = asking(tmp_path, '{"prompt": "a"}\n')
    every = [read_experiment(file, EXPERIMENTS) for file in sorted(EXPERIMENTS.rglob("*.yaml"))]
    assert [one.id for one in every if unanswerable(one, unknown)] == ["serving/weights-damaged"]


def test_a_training_job_answers_nobody(tmp_path: Path) -> None:
    trains = EXPERIMENT.replace("workload: realtime-inference", "workload: batch-training").replace("rpo_requests: 0, ", "")
    assert unanswerable(about(tmp_path, trains), local_target()).startswith(f"{SAID}batch-training; ")


def test_a_class_that_is_not_there_is_another_mistake(tmp_path: Path) -> None:
    assert unanswerable(about(tmp_path, EXPERIMENT.replace(f"workload: {USERS}", "workload: realtme")), local_target()) == ""


def test_what_can_be_needed_is_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs"):
        about(tmp_path, needs="needs: [weights]")
