"""``pytest -m chaos`` in a process of its own: what is collected, what is shown, how it exits, what a signal does."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.fake_cluster import ROOT
from tests.support.runner_parts import EXPERIMENT

CHILD = (sys.executable, "-S", str(ROOT / "tests/support/runner_child.py"))
CONFTEST = f"""
import runner.parent, runner.plugin
runner.parent.CHILD = {CHILD!r}
runner.plugin.write_report = lambda _chaos: True  # its own tests: tests/unit/reports
"""
INI = "[pytest]\naddopts = -m 'not chaos' -p no:locust --strict-markers\ntestpaths = tests\n"
RESOLVED = ["say", {"kind": "resolved", "lines": []}]
PASS = [RESOLVED, ["verdict", {"verdict": "PASS"}]]
RTO = {"name": "rto", "verdict": "FAIL", "sentence": "Users were served again 40 s after the fault; the budget is 30 s."}
FAIL = [RESOLVED, ["verdict", {"verdict": "FAIL", "sentence": "too slow", "checks": [RTO]}]]
UNSURE = [RESOLVED, ["verdict", {"verdict": "INCONCLUSIVE", "sentence": "the fault was not proven"}]]
REFUSED = [["say", {"kind": "refused", "text": "target local is not healthy: role inference has 2 of 3 replicas ready"}], ["exit", 11]]


class Done(NamedTuple):
    """How a session ended, and what it said."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout with experiments of its own. Sessions run in this process, except where a signal is sent to them."""

    root: Path

    def experiment(self, name: str, text: str = EXPERIMENT) -> None:
        file = self.root / "experiments" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def script(self, **steps: Any) -> None:
        (self.root / "script.json").write_text(json.dumps({name.replace("_", "-"): one for name, one in steps.items()}))

    def run(self, *arguments: str) -> Done:
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = pytest.main(["-p", "runner.plugin", "-p", "no:cacheprovider", "-p", "no:anyio", *arguments])
        return Done(int(code), said.getvalue())

    def chaos(self, *arguments: str) -> Done:
        return self.run("-m", "chaos", "--chaos-target=target.yaml", "--chaos-out=out", *arguments)

    def start(self, log: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pytest", "-p", "runner.plugin", "-p", "no:cacheprovider"]
        command += ["-m", "chaos", "--chaos-target=target.yaml", "--chaos-out=out"]
        with log.open("w") as output:
            return subprocess.Popen(command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_own.py").write_text("def test_own():\n    pass\n")
    local = (ROOT / "targets/local.yaml").read_text()
    (tmp_path / "target.yaml").write_text(local.replace("aftershock-local", f"test-{os.getpid()}-{tmp_path.name}"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("FAKE_CHILD", str(tmp_path / "script.json"))
    monkeypatch.setattr("runner.parent.CHILD", CHILD)
    monkeypatch.setattr("runner.plugin.write_report", lambda _chaos: True)
    made = Project(tmp_path)
    made.experiment("serving/pod-killed")
    made.script(pod_killed=PASS)
    return made


def test_plain_pytest_never_injects(project: Project) -> None:
    done = project.run()
    assert "1 passed" in done.text
    assert "chaos:" not in done.text
    assert not (project.root / "reports").exists()


def test_only_experiments_run_and_the_header_says_how_to_repeat_them(project: Project) -> None:
    done = project.chaos("--chaos-seed=42")
    assert done.code == 0, done.text
    assert "1 passed" in done.text
    assert "test_own" not in done.text
    assert "chaos: target local (context test-" in done.text
    assert "profile smoke, seed 42, trials 1" in done.text
    assert "repeat with: pytest -m chaos --chaos-target=target.yaml --chaos-seed=42" in done.text


def test_folders_are_markers_and_trials_are_items(project: Project) -> None:
    project.experiment("training/rank-killed")
    listed = project.chaos("--collect-only", "-q", "--chaos-trials=2").text
    assert "experiments/serving/pod-killed.yaml::pod-killed[trial2]" in listed
    assert "4 tests collected" in listed
    only = project.run("-m", "chaos and training", "--chaos-target=target.yaml", "--collect-only", "-q").text
    assert "rank-killed" in only
    assert "::pod-killed" not in only


def test_experiments_of_another_folder(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Project(tmp_path_factory.mktemp("other"))
    other.experiment("queues/worker-killed")
    listed = project.chaos("--collect-only", "-q", f"--chaos-experiments={other.root / 'experiments'}").text
    assert "worker-killed" in listed
    assert "pod-killed" not in listed


# exit codes

CASES: dict[str, tuple[dict[str, Any], int, list[str]]] = {
    "all pass": ({"one": PASS, "two": PASS}, 0, ["2 passed"]),
    "one fails": ({"one": PASS, "two": FAIL}, 1, ["FAIL: too slow", "  rto: FAIL: Users were served again 40 s", "1 failed, 1 passed"]),
    "fail beats inconclusive": ({"one": UNSURE, "two": FAIL}, 1, ["2 failed"]),
    "inconclusive": ({"one": PASS, "two": UNSURE}, 10, ["INCONCLUSIVE: the fault was not proven", "1 failed, 1 passed"]),
    "refused": ({"one": PASS, "two": REFUSED}, 11, ["role inference has 2 of 3 replicas ready", "1 passed, 1 error"]),
    "inconclusive beats refused": ({"one": UNSURE, "two": REFUSED}, 10, ["1 failed, 1 error"]),
    "the child dies": (
        {"one": [RESOLVED, ["exit", 3]], "two": PASS},
        1,
        ["ended with exit code 3 and no verdict", "python -m runner heal"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_exit_codes(project: Project, case: str) -> None:
    script, code, said = CASES[case]
    (project.root / "experiments/serving/pod-killed.yaml").unlink()
    for name in script:
        project.experiment(f"serving/{name}")
    project.script(**script)
    done = project.chaos()
    assert done.code == code, done.text
    for part in said:
        assert part in done.text
    assert "Traceback" not in done.text


@pytest.mark.parametrize(
    ("expect", "steps", "code"),
    [
        ("expect: {verdict: FAIL, check: rto}", FAIL, 0),
        ("expect: {verdict: FAIL, check: availability}", FAIL, 1),
        ("expect: FAIL", PASS, 1),
        ("expect: FAIL", UNSURE, 10),
    ],
)
def test_an_experiment_passes_on_exactly_what_it_expects(project: Project, expect: str, steps: Any, code: int) -> None:
    project.experiment("serving/pod-killed", EXPERIMENT.replace("    schema: 1\n", f"    {expect}\n"))
    project.script(pod_killed=steps)
    assert project.chaos().code == code


def test_a_malformed_experiment_is_refused_with_file_and_line_and_nothing_runs(project: Project) -> None:
    project.experiment("serving/wrong", EXPERIMENT.replace("tags:", "tgas:"))
    done = project.chaos()
    assert done.code == 11
    assert "experiments/serving/wrong.yaml:3: tgas: unknown key" in done.text
    assert "passed" not in done.text
    assert not (project.root / "out").exists()


def test_a_wrong_target_file_is_refused(project: Project) -> None:
    (project.root / "target.yaml").write_text("schema: 1\n")
    done = project.chaos()
    assert done.code == 11
    assert "target.yaml: name: Field required" in done.text
    assert project.run("-m", "chaos", "--chaos-target=nowhere.yaml").code == 11


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--chaos-profile=fast", "'fast' is not a profile; choose one of smoke, full"),
        ("--chaos-trials=0", "--chaos-trials: '0' is not a whole number of at least 1"),
        ("--chaos-seed=x", "--chaos-seed: 'x' is not a whole number"),
        ("--chaos-wait=soon", "'soon' is not a duration"),
    ],
)
def test_wrong_options_are_usage_errors(project: Project, option: str, said: str) -> None:
    done = project.chaos(option)
    assert done.code == 4
    assert said in done.text


def test_xdist_is_refused(project: Project) -> None:
    done = project.chaos("-n", "2")
    assert done.code == 4
    assert "faults must not overlap" in done.text


def test_options_may_come_from_the_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERSHOCK_TARGET", "target.yaml")
    monkeypatch.setenv("AFTERSHOCK_PROFILE", "full")
    monkeypatch.setenv("AFTERSHOCK_SEED", "9")
    assert "profile full, seed 9" in project.run("-m", "chaos", "--collect-only").text


def test_progress_is_one_line_a_phase(project: Project) -> None:
    phases = [
        ["say", {"kind": "phase", "name": "baseline"}],
        ["say", {"kind": "seen", "seconds": 1.0, "text": "0% bad"}],
        ["say", {"kind": "seen", "seconds": 31.0, "text": "1% bad"}],
        ["say", {"kind": "done", "name": "baseline", "seconds": 17.5, "text": "0% bad, p95 181 ms"}],
        ["say", {"kind": "note", "text": "a sentence worth showing"}],
        ["say", {"kind": "verdict", "verdict": "PASS", "sentence": "Users were served again at once."}],
    ]
    project.script(pod_killed=[RESOLVED, *phases, *PASS[1:]])
    lines = [line.strip() for line in project.chaos().text.splitlines()]
    assert "baseline       17.5 s  0% bad, p95 181 ms" in lines
    assert "baseline       31.0 s  1% bad" in lines
    assert "a sentence worth showing" in lines
    assert "PASS: Users were served again at once." in lines
    assert not any("0% bad" in line and " 1.0 s" in line for line in lines)


def test_a_dry_run_prints_what_would_be_done(project: Project) -> None:
    project.script(pod_killed=[["say", {"kind": "resolved", "lines": ["kill: Pod ml-serving/inference-a: killed"]}], ["exit", 0]])
    done = project.chaos("--chaos-dry-run")
    assert done.code == 0
    assert "kill: Pod ml-serving/inference-a: killed" in done.text
    assert "dry run" in done.text


def test_the_verdict_is_a_property_of_the_test_case(project: Project) -> None:
    project.chaos("--junit-xml=junit.xml", "-o", "junit_family=xunit1")
    text = (project.root / "junit.xml").read_text()
    assert '<property name="verdict" value="PASS"' in text
    assert '<property name="rto_s" value="1.5"' in text


# signals


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 180  # only reached when a test fails
    while not condition():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_handed_on_once_and_the_child_heals(project: Project, number: signal.Signals) -> None:
    healed = ["say", {"kind": "done", "name": "heal", "seconds": 1.0, "text": "healed by the child"}]
    after = [["wait", 1], healed, ["verdict", {"verdict": "INCONCLUSIVE", "sentence": "The run is incomplete."}]]
    project.experiment("serving/second")
    project.script(pod_killed=[["on-term", after], RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", 60]], second=PASS)
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(number)
    wait_for(lambda: f"{number.name}: the fault is being healed" in log.read_text(), process)
    process.send_signal(number)
    assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    text = log.read_text()
    assert f"{number.name} again: the run is still in phase" in text
    assert "healed by the child" in text
    assert "The run is incomplete." in text
    assert not any((project.root / "out/runs").glob("*second*"))


def test_a_second_session_on_the_same_target_is_refused(project: Project) -> None:
    project.script(pod_killed=[RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", 60]])
    log = project.root / "log.txt"
    first = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), first)
    second = project.chaos()
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    assert second.code == 11
    assert f"another session here (process {first.pid}) is running experiments on it" in second.text
    assert "stopped by SIGTERM" in log.read_text()


def test_a_signal_before_preflight_is_done_injects_nothing(project: Project) -> None:
    project.script(pod_killed=[["say", {"kind": "note", "text": "under way"}], ["wait", 60]])
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    assert "stopped by SIGINT before preflight was done; nothing was injected" in log.read_text()


# a target that has nothing of a class


LABELS = EXPERIMENT.replace("workload: realtime-inference", "workload: data-labelling")


def test_an_experiment_of_a_class_that_the_target_lacks_is_skipped_with_the_reason(project: Project) -> None:
    project.experiment("labels/queue-lost", LABELS)
    done = project.chaos("-ra")
    assert done.code == 0, done.text
    assert "1 passed, 1 skipped" in done.text
    assert "has no workload class 'data-labelling'" in done.text


def test_a_session_in_which_nothing_ran_for_that_reason_is_no_success(project: Project) -> None:
    project.experiment("labels/queue-lost", LABELS)
    done = project.chaos("-k", "queue-lost")
    assert done.code == 11, done.text
    assert project.chaos("-k", "queue-lost", "--collect-only").code == 0


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
