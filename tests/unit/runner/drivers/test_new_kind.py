"""A kind of workload that no module of the suite names: a target file says it, an experiment asks for it, the plan has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError
from history.plan import Plan
from runner.drivers import choice, driver
from runner.drivers.choice import read_target
from target import workload
from target.target import load_target
from testing.platform.fake_cluster import ROOT, FakeCluster
from testing.platform.targets import without_alerts
from testing.runs.counter import CounterClass, CounterPlan
from testing.runs.fuzzing import plan_of
from testing.runs.runner_parts import EXPERIMENT

NAME = "counting"
COUNTING: dict[str, Any] = {"kind": "counter", "role": "inference", "every": "20ms", "budgets": {"rto": "20s"}}
SILENT = EXPERIMENT.split("steady-state-hypothesis:")[0] + "method:" + EXPERIMENT.split("method:")[1]
ASKING = SILENT.replace("realtime-inference", NAME).replace("budgets: {rto: 30s, availability: 97% over 15s}", "budgets: {rto: 15s}")


def written(folder: Path, **changes: Any) -> Path:
    raw = yaml.safe_load(without_alerts((ROOT / "targets" / "local.yaml").read_text()))
    raw["workloads"] = {NAME: COUNTING | changes}
    file = folder / "target.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return file


def planned(folder: Path, text: str, target: Path) -> Plan:
    experiment = folder / "counted.yaml"
    experiment.write_text(text)
    return plan_of(experiment, target, FakeCluster(), 7)


def refusal(folder: Path, **changes: Any) -> list[str]:
    """Return what is said of a class of counters, each without the path, and the line that it names."""
    file = written(folder, **changes)
    with pytest.raises(ConfigError) as wrong:
        load_target(file)
    lines = file.read_text().splitlines()
    said = [line.removeprefix(f"{file}:").partition(": ") for line in str(wrong.value).splitlines()]
    return [f"{lines[int(number) - 1].strip()} | {what}" for number, _, what in said]


def test_a_target_file_says_it_in_a_model_of_its_own(tmp_path: Path) -> None:
    counting = read_target(written(tmp_path)).workload(NAME, CounterClass)
    assert (counting.every, counting.budgets.rto_s) == (0.02, 20)


def test_an_experiment_asks_for_it_and_has_its_steady_state_and_its_plan(tmp_path: Path) -> None:
    plan = planned(tmp_path, ASKING, written(tmp_path, steady_state={"missing_at_most": 1}))
    assert plan.hypothesis_expects == {"replicas-are-there": "0 to 1"}
    (counting,) = plan.workloads
    assert isinstance(counting, CounterPlan)
    assert (counting.name, counting.role, counting.every_s, counting.budgets.rto_s) == (NAME, "inference", 0.02, 15)


def test_a_budget_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="budget availability means nothing for a workload of kind 'counter'"):
        planned(tmp_path, ASKING.replace("{rto: 15s}", "{availability: 97%}"), written(tmp_path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"role": "nobody"}, "role: nobody | workloads.counting.role: 'nobody' is not under roles"),
        ({"every": 0}, "every: 0 | workloads.counting.every: a counter must pause; write 50ms"),
        ({"evry": 1}, "evry: 1 | workloads.counting.evry: unknown key; known here: budgets, budgets_in, every, kind, role, steady_state"),
        ({"slo": {}}, "slo: {} | workloads.counting.slo: it means nothing for kind counter; leave it out"),
        ({"steady_state": {"low": 1}}, "low: 1 | workloads.counting.steady_state.low: unknown key; known here: missing_at_most, window"),
        (
            {"steady_state": {"queue_max": 1}},
            "queue_max: 1 | workloads.counting.steady_state.queue_max: it means nothing for kind counter; leave it out",
        ),
    ],
)
def test_a_mistake_is_told_by_the_keys_of_its_own_kind(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert refusal(tmp_path, **changes) == [said]


@pytest.mark.parametrize("kind", ["features", "pipeline", "counters", 7, ["requests"], {"a": 1}, "", True])
def test_a_kind_that_nobody_brought_is_refused_by_name(tmp_path: Path, kind: object) -> None:
    (said,) = refusal(tmp_path, kind=kind)
    assert said.startswith("kind:")
    assert f"workloads.counting.kind: no driver for {kind} is built yet; built are requests, training" in said


def test_a_class_without_a_kind_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, kind=None) == ["kind: null | workloads.counting.kind: missing; it is required"]


def test_a_class_of_another_kind_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    target = load_target(ROOT / "targets" / "local.yaml")
    with pytest.raises(ConfigError, match="class 'realtime-inference' is of kind requests; a class of kind counter is needed, name one"):
        target.workload("realtime-inference", CounterClass)


def test_a_target_is_read_only_when_the_folders_of_drivers_were_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(choice, "known_drivers", lambda: order.append("drivers"))
    monkeypatch.setattr(choice, "load_target", lambda _path: order.append("target"))
    read_target(Path("target.yaml"))
    assert order == ["drivers", "target"]


def test_a_driver_folder_brings_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ticking"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "driver.py").write_text(
        "from typing import Literal\nfrom target.workload import WorkloadClass\n"
        "class TickingClass(WorkloadClass):\n    kind: Literal['ticking'] = 'ticking'\n"
    )
    monkeypatch.setattr(workload, "CLASSES", {**workload.CLASSES})  # what a test registers is gone after it
    monkeypatch.setattr(driver.runner.drivers, "__path__", [*driver.runner.drivers.__path__, str(tmp_path)])
    file = written(tmp_path)
    file.write_text(file.read_text().replace("kind: counter", "kind: ticking").replace("    every: 20ms\n", ""))
    assert type(read_target(file).workloads[NAME]).__name__ == "TickingClass"
