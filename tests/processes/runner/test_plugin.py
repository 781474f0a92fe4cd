"""``pytest -m chaos`` in a process of its own: what is collected, what is shown, how it exits."""

from __future__ import annotations

from typing import Any

import pytest

from testing.runs.runner_parts import EXPERIMENT
from testing.runs.sessions import PASS, RESOLVED, Project

RTO = {"name": "rto", "verdict": "FAIL", "sentence": "Users were served again 40 s after the fault; the budget is 30 s."}
FAIL = [RESOLVED, ["verdict", {"verdict": "FAIL", "sentence": "too slow", "checks": [RTO]}]]
UNSURE = [RESOLVED, ["verdict", {"verdict": "INCONCLUSIVE", "sentence": "the fault was not proven"}]]
REFUSED = [["say", {"kind": "refused", "text": "target local is not healthy: role inference has 2 of 3 replicas ready"}], ["exit", 11]]


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


def test_a_wrong_target_file_is_refused(project: Project) -> None:
    (project.root / "target.yaml").write_text("schema: 1\n")
    done = project.chaos()
    assert done.code == 11
    assert "target.yaml:1: name: missing; it is required" in done.text
    assert project.run("-m", "chaos", "--chaos-target=nowhere.yaml").code == 11


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--chaos-profile=fast", "'fast' is not a profile; choose one of smoke, full"),
        ("--chaos-trials=0", "--chaos-trials: '0' is not a whole number of at least 1"),
        ("--chaos-seed=x", "--chaos-seed: 'x' is not a whole number"),
        ("--chaos-wait=soon", "'soon' is not a duration"),
        ("--chaos-fail-on-risk=none", "'none' is no risk; write some of all, not-tested"),
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
