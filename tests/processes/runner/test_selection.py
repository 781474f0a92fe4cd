"""Which experiments run: only those that are selected are judged by their files and by the target."""

from __future__ import annotations

import json

import pytest
import yaml

from runner.plugin import session_end
from testing.runs.runner_parts import EXPERIMENT
from testing.runs.sessions import PASS, RESOLVED, Project


def test_a_malformed_experiment_is_refused_with_file_and_line_and_nothing_runs(project: Project) -> None:
    project.experiment("serving/wrong", EXPERIMENT.replace("tags:", "tgas:"))
    done = project.chaos()
    assert done.code == 11
    assert "experiments/serving/wrong.yaml:3: tgas: unknown key" in done.text
    assert "passed" not in done.text
    assert not (project.root / "out").exists()


def test_a_wrong_file_that_is_not_selected_keeps_nothing_from_running(project: Project) -> None:
    project.experiment("training/wrong", EXPERIMENT.replace("tags:", "tgas:"))
    assert project.chaos("-k", "pod-killed").code == 0
    assert project.run("-m", "chaos and serving", "--chaos-target=target.yaml", "--chaos-out=out").code == 0
    refused = project.run("-m", "chaos and training", "--chaos-target=target.yaml")
    assert refused.code == 11
    assert "experiments/training/wrong.yaml:3: tgas: unknown key" in refused.text


def only_serving(project: Project) -> None:
    """Take everything of training out of the target file, as a team does that trains nothing."""
    file = project.root / "target.yaml"
    target = yaml.safe_load(file.read_text())
    target["roles"] = {name: target["roles"][name] for name in ("inference", "gateway", "decoy")}
    target["workloads"] = {"realtime-inference": target["workloads"]["realtime-inference"]}
    file.write_text(yaml.safe_dump(target))


TRAINS = EXPERIMENT.replace("workload: realtime-inference", "workload: batch-training")
WITHOUT_ROLE = EXPERIMENT.replace("{role: inference}", "{role: storage}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TRAINS, "target local has no workload class 'batch-training'; it has realtime-inference; to test this here, add it"),
        (WITHOUT_ROLE, "target local has no role 'storage'; it has decoy, gateway, inference; to test this here, add it"),
    ],
)
def test_what_the_target_lacks_is_skipped_with_the_reason_where_it_is_selected(project: Project, text: str, said: str) -> None:
    only_serving(project)
    project.experiment("storage/bucket-lost", text)
    both = project.chaos("-ra")
    assert both.code == 0, both.text
    assert "1 passed, 1 skipped" in both.text
    assert said in both.text
    assert "1 passed, 1 deselected" in project.chaos("-k", "pod-killed").text


def test_what_is_about_the_content_of_answers_is_skipped_where_nobody_knows_the_right_ones(project: Project) -> None:
    file, prompts = project.root / "target.yaml", project.root / "asked.jsonl"
    target = yaml.safe_load(file.read_text())
    target["workloads"]["realtime-inference"]["load"]["prompts"] = str(prompts)
    file.write_text(yaml.safe_dump(target))
    project.experiment("serving/weights", EXPERIMENT.replace("    schema: 1\n", "    schema: 1\n    needs: [answers]\n"))
    project.script(pod_killed=PASS, weights=PASS)
    prompts.write_text('{"prompt": "a"}\n')
    unknown = project.chaos("-ra")
    assert "1 passed, 1 skipped" in unknown.text
    assert "it is about the content of answers, and target local knows no right answers of realtime-inference" in unknown.text
    prompts.write_text('{"prompt": "a", "completion": "b"}\n')
    assert "2 passed" in project.chaos().text


def test_a_misspelt_class_is_a_mistake_and_not_a_skip(project: Project) -> None:
    project.experiment("training/wrong", TRAINS.replace("batch-training", "batch-trainning"))
    done = project.chaos()
    assert done.code == 11
    assert "target local has no workload class 'batch-trainning'; it has batch-training" in done.text
    assert "passed" not in done.text


def test_what_was_skipped_is_in_the_report_once_and_alone_it_is_no_success(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "conftest.py").unlink()
    monkeypatch.setattr("runner.plugin.plugin.write_report", session_end.write_report)
    only_serving(project)
    project.experiment("training/rank-killed", TRAINS)
    done = project.chaos("-k", "rank-killed", "--chaos-trials=2")
    assert done.code == 11, done.text
    report = json.loads((project.root / "out/latest/report.json").read_text())
    assert report["verdict"] == "INCONCLUSIVE"
    assert "Nothing was tested: training/rank-killed: target local has no workload class 'batch-training'" in report["sentence"]
    assert [(item["id"], item["kind"]) for item in report["not_tested"]] == [("training/rank-killed", "skipped")]
    assert project.chaos("-k", "rank-killed", "--collect-only").code == 0


@pytest.mark.parametrize("by", ["a keyword", "a path"])
def test_the_report_knows_what_was_not_selected_and_what_the_target_has_nothing_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    (project.root / "conftest.py").unlink()
    monkeypatch.setattr("runner.plugin.plugin.write_report", session_end.write_report)
    only_serving(project)
    tagged = {"training/rank-killed": "T1", "training/rank-frozen": "T2", "serving/slow": "I3"}
    for name, mode in tagged.items():
        text = TRAINS if name.startswith("training") else EXPERIMENT
        project.experiment(name, text.replace("smoke, ", f"smoke, {mode}, "))
    project.experiment("training/wrong", TRAINS.replace("tags:", "tgas:"))
    project.chaos(*(["-k", "rank-killed"] if by == "a keyword" else ["experiments/training/rank-killed.yaml"]))
    rows = {row["mode"]: row for row in json.loads((project.root / "out/latest/report.json").read_text())["coverage"]["rows"]}
    states = {mode: rows[mode]["state"] for mode in ("T1", "T2", "I3", "I4")}
    assert states == {"T1": "skipped", "T2": "not available", "I3": "not selected", "I4": "no experiment"}
    [place] = [place for place in rows["T2"]["places"] if place["experiments"]]
    assert "target local has no workload class 'batch-training'" in place["experiments"][0]["why"]


def test_a_session_that_ends_early_has_a_report_that_says_what_was_not_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "conftest.py").unlink()
    monkeypatch.setattr("runner.plugin.plugin.write_report", session_end.write_report)
    project.experiment("serving/second")
    project.script(pod_killed=[RESOLVED, ["verdict", {"verdict": "FAIL"}]], second=PASS)
    done = project.chaos("-x", "--chaos-trials=2")
    assert done.code == 1, done.text
    report = json.loads((project.root / "out/latest/report.json").read_text())
    assert report["incomplete"] == "This night is incomplete: stopping after 1 failures, and 3 of 4 runs were not begun."
    assert report["sentence"].startswith(report["incomplete"])
    [missing] = [one for one in report["not_tested"] if one["id"] == "serving/second"]
    assert missing["reason"] == "not run: stopping after 1 failures"
    assert list((project.root / "out/sessions").iterdir()) == []


def test_what_takes_long_runs_where_it_is_asked_for(project: Project) -> None:
    project.experiment("training/long", EXPERIMENT.replace("smoke, ", ""))
    project.script(pod_killed=PASS, long=PASS)

    def ran(*arguments: str) -> set[str]:
        said = project.chaos("--collect-only", "-q", *arguments).text
        return {name for name in ("pod-killed", "long") if f"::{name}" in said}

    assert ran() == {"pod-killed"}
    assert ran("-k", "long") == {"long"}
    assert ran("--chaos-profile=full") == ran("--chaos-experiments=experiments") == {"pod-killed", "long"}
    assert ran("-m", "chaos and training") == {"long"}
