"""Experiment files: what is wrong is refused with file and line, before any cluster is asked."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from history import budgets
from history.errors import ConfigError
from history.kinds import REQUESTS
from history.plan import Expect
from runner.experiment.catalogue import RENAMED, rename_providers
from runner.experiment.experiment import Experiment, check_target, read_experiment
from testing.platform.fake_cluster import ROOT, local_target
from testing.runs.runner_parts import EXPERIMENT, NULL

PARTS = "testing.runs.runner_parts"


def line_of(text: str, fragment: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if fragment in line)


def refusal(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_experiment(file, file.parents[1])
    return str(refused.value)


SCHEMA = "    schema: 1\n"
BUDGETS = "    budgets: {rto: 30s, availability: 97% over 15s}\n"
HYPOTHESIS = "steady-state-hypothesis:" + EXPERIMENT.split("steady-state-hypothesis:")[1].split("method:")[0]
PROBES = EXPERIMENT.split("  probes:")[1].split("method:")[0]
EVIDENCE = EXPERIMENT.split("97% over 15s}\n")[1]
ROLE = "arguments: {role: inference}"

# what is replaced, by what, where the error stands (a part of its line after the change), what it says
WRONG = {
    "unknown key at the top": ("tags: [", "tgas: [", "tgas:", "tgas: unknown key; known here: "),
    "a control, which would be ignored": ("tags: [serving, smoke, I1]", "controls: []", "controls:", "unknown key"),
    "unknown key of an action": ("    name: kill\n", "    name: kill\n    background: true\n", "background", "background: unknown key"),
    "unknown key of a provider": ("func: served}", "func: served, timeout: 3}", "timeout: 3", "timeout: unknown key"),
    "unknown key of the extension": (SCHEMA, "    hodl: 3s\n", "hodl", "known here: allow, beside, budgets, deadline"),
    "no title": ("title: A pod is killed\n", "", "description:", "title: missing"),
    "no budgets": (BUDGETS, "", "name: aftershock", "budgets: missing"),
    "empty budgets": (BUDGETS, "    budgets: {}\n", "budgets:", "name at least one, e.g. rto: 30s"),
    "a budget that nothing measures": ("rto: 30s,", "rpo: 5s,", "budgets:", "no measurement exists for this budget; measured are "),
    "a budget that is no duration": ("rto: 30s", "rto: soon", "budgets:", "'soon' is not a duration"),
    "a hypothesis without probes": (PROBES, " []\n\n", "probes: []", "at least 1 item"),
    "an empty hypothesis": (
        HYPOTHESIS,
        "steady-state-hypothesis:\n\n",
        "steady-state-hypothesis:",
        "empty; write title and probes, or leave the key out",
    ),
    "no hypothesis": ("steady-state-hypothesis:", "steady-state:", "steady-state:", "steady-state: unknown key"),
    "no evidence": (EVIDENCE, "", "name: aftershock", "evidence: missing; name at least one probe"),
    "evidence of no action": ("activity: kill}", "activity: kil}", "activity: kil}", "'kil' is not in the method; it has kill"),
    "no such module": (f"{PARTS}, func: served", "probes.usres, func: x", "usres", "'probes.usres' does not import: ModuleNotFoundError"),
    "no such function": ("func: served", "func: severd", "func: severd", "does not expose a function called 'severd'"),
    "an argument that does not fit": (ROLE, "arguments: {rolle: inference}", "rolle", "argument"),
    "a required argument is missing": (f", {ROLE}", "", "func: kill", "required argument"),
    "an action that is no fault": (f"func: kill, {ROLE}", "func: just_an_action", "just_an_action", "is not a fault of this suite"),
    "a float as tolerance": ("tolerance: {type: range, range: [0.99, 1.0]}", "tolerance: 0.99", "tolerance: 0.99", "tolerance"),
    "a range of one value": ("range: [0.99, 1.0]", "range: [0.99]", "range: [0.99]", "two values"),
    "one name twice": ("name: put-back", "name: served", "name: served", "name 'served' is used twice"),
    "rollbacks not always": ("rollbacks:\n", "runtime: {rollbacks: {strategy: never}}\nrollbacks:\n", "runtime:", "strategy"),
    "a null control with a method": (SCHEMA, "    fault: none\n", "fault: none", "method and evidence must be empty"),
    "an extension of another name": ("name: aftershock", "name: aftershok", "extensions:", "'aftershock', found 0"),
    "a schema from the future": ("schema: 1", "schema: 2", "schema: 2", "schema"),
    "an expectation that is none": (SCHEMA, "    expect: GREEN\n", "expect: GREEN", "verdict"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_refused_with_file_and_line(experiment_file: Path, case: str) -> None:
    old, new, where, what = WRONG[case]
    text = EXPERIMENT.replace(old, new, 1)
    assert text != EXPERIMENT
    said = refusal(experiment_file, text)
    assert what in said
    if where:
        lines = [number for number, line in enumerate(text.splitlines(), 1) if where in line]
        assert any(said_line.startswith(f"{experiment_file}:{number}:") for number in lines for said_line in said.splitlines())


def test_every_mistake_of_a_file_is_listed(experiment_file: Path) -> None:
    said = refusal(experiment_file, EXPERIMENT.replace("tags:", "tgas:").replace("title: users are served", "titel: x"))
    assert [part for part in ("tgas", "titel", "title: missing") if part in said] == ["tgas", "titel", "title: missing"]


@pytest.mark.parametrize(
    ("module", "func", "ours"),
    [("chaosk8s.pod.actions", "terminate_pods", "faults.pods.kill"), ("chaosk8s.node.actions", "drain_nodes", "faults.nodes.drain")],
)
def test_an_action_of_chaosk8s_is_refused_and_our_wrapper_named(experiment_file: Path, module: str, func: str, ours: str) -> None:
    text = EXPERIMENT.replace(f"module: {PARTS}, func: kill, arguments: {{role: inference}}", f"module: {module}, func: {func}")
    assert f"use {ours}" in refusal(experiment_file, text)


def test_a_valid_file_is_read(experiment: Experiment) -> None:
    assert experiment.id == "serving/pod-killed"
    assert experiment.settings.budgets.rto_s == 30
    assert experiment.settings.deadline is None
    assert experiment.settings.expect == Expect()
    assert [activity.name for _, activity in experiment.activities()] == ["served", "kill", "put-back", "gone"]


def test_an_expectation_may_name_the_check_that_fails(experiment_file: Path) -> None:
    experiment_file.write_text(EXPERIMENT.replace("    schema: 1\n", "    expect: {verdict: FAIL, check: rto}\n    deadline: 90s\n"))
    settings = read_experiment(experiment_file, experiment_file.parents[1]).settings
    assert (settings.expect, settings.deadline) == (Expect(verdict="FAIL", check="rto"), 90)


def test_a_null_control_has_neither_method_nor_evidence(experiment_file: Path) -> None:
    experiment_file.write_text(NULL)
    assert not read_experiment(experiment_file, experiment_file.parents[1]).injects


# on the target: what it must have
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "workload: realtime-inference",
            "workload: realtime",
            f"target local has no workload class 'realtime'; it has {', '.join(sorted(local_target().workloads))}",
        ),
        (
            "{role: inference}",
            "{role: inferenec}",
            f"target local has no role 'inferenec'; it has {', '.join(sorted(local_target().roles))}",
        ),
        (
            "rto: 30s,",
            "rto: 30s, rpo_steps: 3,",
            "budgets.rpo_steps: budget rpo_steps means nothing for requests; leave it out; what can be budgeted there: "
            + ", ".join(budget.written for budget in budgets.BUDGETS.values() if budget.fits(REQUESTS)),
        ),
        ("{role: inference}", "{role: '${nobody_role}'}", "${nobody_role} is neither in configuration nor in target local"),
    ],
)
def test_what_the_target_lacks_is_refused_with_its_line(experiment_file: Path, old: str, new: str, said: str) -> None:
    text = EXPERIMENT.replace(old, new)
    experiment_file.write_text(text)
    experiment = read_experiment(experiment_file, experiment_file.parents[1])
    with pytest.raises(ConfigError) as refused:
        check_target(experiment, local_target())
    assert str(refused.value) == f"{experiment_file}:{line_of(text, new)}: {said}"


@pytest.mark.parametrize("second", ["realtime-inference", "model-deployment"])
def test_two_classes_of_one_kind_are_refused_with_their_line(experiment_file: Path, second: str) -> None:
    target, beside = local_target(), f"    beside: [batch-training, {second}]\n"
    target = target.model_copy(update={"workloads": {**target.workloads, "model-deployment": target.workloads["realtime-inference"]}})
    experiment_file.write_text(EXPERIMENT.replace(SCHEMA, SCHEMA + beside))
    with pytest.raises(ConfigError, match=f"{second} is of kind requests, as realtime-inference is; a run has at most one") as refused:
        check_target(read_experiment(experiment_file, experiment_file.parents[1]), target)
    assert f":{line_of(experiment_file.read_text(), beside.strip())}: " in str(refused.value)


def test_the_experiments_that_we_ship_fit_the_target_that_we_ship() -> None:
    files = sorted((ROOT / "experiments").rglob("*.yaml"))
    assert files
    target = local_target()
    for file in files:
        found = read_experiment(file, ROOT / "experiments")
        if found.settings.workload in target.workloads:
            check_target(found, target)
        assert found.raw == yaml.safe_load(file.read_text())


@pytest.mark.parametrize("old", RENAMED)
def test_a_file_may_name_modules_as_they_were_called_before(experiment_file: Path, old: str) -> None:
    raw = {"method": [{"provider": {"type": "python", "module": old, "func": "x"}}], "extensions": [{"evidence": []}]}
    rename_providers(raw)
    assert raw["method"][0]["provider"]["module"] == RENAMED[old]
    assert find_spec(RENAMED[old]) is not None


def test_a_fault_under_its_old_name_is_the_fault(experiment_file: Path) -> None:
    experiment_file.write_text(
        EXPERIMENT.replace(f"module: {PARTS}, func: kill, {ROLE}", f"module: faults.engine, func: kill_engine, {ROLE}")
    )
    found = read_experiment(experiment_file, experiment_file.parents[1])
    assert found.document.method[0].provider.module == "faults.processes"
