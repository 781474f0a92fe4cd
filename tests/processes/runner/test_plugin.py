"""``pytest -m chaos`` in a process of its own: what is collected, what is shown, how it exits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nights.record import Conditions, Night, RunRecord
from nights.shelf import as_json
from nights.store.folder import FolderStore
from runner.drivers.choice import read_target
from runner.experiment.experiment import read_experiment
from runner.experiment.steady_state import for_target
from testing.histories.sample_plan import plan_of
from testing.histories.sample_scenarios import ENGINE_KILLED
from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import EXPERIMENT
from testing.runs.sessions import PASS, RESOLVED, Project

RTO = {"name": "rto", "verdict": "FAIL", "sentence": "Users were served again 40 s after the fault; the budget is 30 s."}
OVER = RTO | {"measured": 40.0, "budget": 30.0, "unit": "s"}
FAIL = [RESOLVED, ["verdict", {"verdict": "FAIL", "sentence": "too slow", "checks": [OVER]}]]
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
    assert "chaos: target local (context aftershock-test-" in done.text
    assert "chaos: classes realtime-inference (requests), batch-training (training)" in done.text
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


def test_collecting_says_what_would_break_what_and_touches_nothing(project: Project) -> None:
    for name in ("control/null-control", "serving/replica-killed"):
        project.experiment(name, (ROOT / f"experiments/{name}.yaml").read_text())
    done = project.chaos("--collect-only", "--chaos-trials=2")
    assert done.code == 0, done.text
    killed = (
        "inference (Deployment inference in ml-serving), by faults.pods.kill, count 1; ends: at once; the pod's controller makes a new one"
    )
    assert done.text.count(f"  breaks {killed}") == 1
    assert "  must hold: realtime-inference: rto 10s, rpo_requests 0, availability 97%, capacity_rto 60s" in done.text
    assert "  breaks nothing: a control" in done.text
    assert "by name, and with which rights: --chaos-dry-run" in done.text
    assert not (project.root / "out").exists()
    assert "what would break what" not in project.chaos("--collect-only", "-q").text


def test_experiments_of_another_folder(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Project(tmp_path_factory.mktemp("other"))
    other.experiment("queues/worker-killed")
    listed = project.chaos("--collect-only", "-q", f"--chaos-experiments={other.root / 'experiments'}").text
    assert "worker-killed" in listed
    assert "pod-killed" not in listed


# exit codes

CASES: dict[str, tuple[dict[str, Any], int, list[str]]] = {
    "all pass": ({"one": PASS, "two": PASS}, 0, ["2 passed"]),
    "one fails": ({"one": PASS, "two": FAIL}, 1, ["FAIL: RTO 40 s (limit 30 s); report: ", "serving-two.html\n", "1 failed, 1 passed"]),
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
        ("--chaos-junit-inconclusive=passed", "'passed' is not known; choose one of error, skipped"),
        ("--chaos-webhook=nowhere", "--chaos-webhook: not the URL of a server"),
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


# waivers

WAIVER = "waivers:\n- {{experiment: serving/pod-killed, check: rto, owner: o, ticket: T-1, expires: {day}, accepted: 45s}}\n"


@pytest.mark.parametrize(
    ("day", "measured", "code", "says"),
    [
        ("2999-01-01", 40.0, 0, "1 xfailed"),
        ("2020-01-01", 40.0, 1, "rto: the waiver T-1 of o, until 2020-01-01 has expired"),
        ("2999-01-01", 50.0, 1, "accepts 45 s, and 50 was measured, which is worse"),
    ],
)
def test_a_known_fail_does_not_fail_the_session_until_its_waiver_ends(
    project: Project, day: str, measured: float, code: int, says: str
) -> None:
    checks = [RTO | {"measured": measured, "unit": "s"}]
    planned = plan_of(replace(ENGINE_KILLED, id="serving/pod-killed")).model_dump(mode="json")
    project.script(pod_killed=[RESOLVED, ["plan", planned], ["verdict", {"verdict": "FAIL", "sentence": "too slow", "checks": checks}]])
    (project.root / "waivers.yaml").write_text(WAIVER.format(day=day))
    done = project.chaos("--chaos-waivers=waivers.yaml")
    assert done.code == code, done.text
    assert says in done.text


def test_a_waiver_file_that_is_wrong_is_refused_before_anything_runs(project: Project) -> None:
    (project.root / "waivers.yaml").write_text("waivers:\n- {experiment: a/b, check: rto, owner: o}\n")
    done = project.chaos("--chaos-waivers=waivers.yaml")
    assert done.code == 4, done.text
    assert "waivers.yaml:2: waivers.0.ticket: missing; it is required" in done.text


# nights of limited time


def kept_night(project: Project, **ended: tuple[str, float]) -> None:
    """Keep one night in which each experiment ended so and took so long (s)."""
    target = read_target(project.root / "target.yaml")
    runs = []
    for stem, (counts_as, took_s) in ended.items():
        name = f"serving/{stem.replace('_', '-')}"
        found = for_target(read_experiment(project.root / "experiments" / f"{name}.yaml", project.root / "experiments"), target)
        conditions = Conditions(target.name, "realtime-inference", "", "smoke", "drawn", found.digest, {"images": "1"})
        runs.append(RunRecord("", name, name, name, 1, 10**18, took_s, counts_as, counts_as, True, "", conditions, {}, (), (), gpus=2))
    name = "20260101-000000-abcdef"
    night = Night(name, 10**18, tuple(replace(run, night=name) for run in runs))
    FolderStore(project.root / "nights").write(f"records/{name}.json", as_json(night))


def test_a_short_night_runs_what_failed_last_and_says_what_it_left_out(project: Project) -> None:
    for name in ("gpu-lost", "node-drained"):
        project.experiment(f"serving/{name}")
    kept_night(project, pod_killed=("PASS", 60.0), gpu_lost=("FAIL", 80.0), node_drained=("PASS", 300.0))
    project.script(pod_killed=PASS, gpu_lost=PASS, node_drained=PASS)
    done = project.chaos("--chaos-nights=nights", "--chaos-max-minutes=3")
    assert done.code == 0, done.text
    assert "2 passed, 1 deselected" in done.text
    assert done.text.index("serving/gpu-lost: about 1.5 min, 3.0 GPU-min (mean of 1 nights); it failed last") > 0
    assert "serving/node-drained: about 5.2 min, 10.3 GPU-min (mean of 1 nights); held last; left out" in done.text
    assert "in all about 2.7 min of 3 min; 5.3 GPU-min" in done.text
    assert done.text.index("gpu-lost.yaml") < done.text.index("pod-killed.yaml")


def test_a_dry_run_says_how_long_each_experiment_takes(project: Project) -> None:
    kept_night(project, pod_killed=("PASS", 60.0))
    project.script(pod_killed=[RESOLVED])
    done = project.chaos("--chaos-nights=nights", "--chaos-dry-run")
    assert "serving/pod-killed: about 1.2 min, 2.3 GPU-min (mean of 1 nights); held last" in done.text


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--chaos-max-minutes=3"], "needs nights"), (["--chaos-max-minutes=soon", "--chaos-nights=n"], "is not a number of minutes")],
)
def test_a_limit_that_is_none_is_refused(project: Project, words: list[str], says: str) -> None:
    done = project.chaos(*words)
    assert done.code == 4
    assert says in done.text


def test_nights_out_of_reach_are_refused_before_anything_runs(project: Project) -> None:
    (project.root / "file").write_text("")
    project.script(pod_killed=PASS)
    done = project.chaos("--chaos-nights=file")
    assert done.code == 11
    assert "cannot list this folder (Not a directory)" in done.text
    assert not (project.root / "reports" / "out" / "runs").exists()
