"""What a session does when it is told to stop, or meets another one."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest

from testing.runs.sessions import PASS, RESOLVED, Project

PATIENCE_S = 180  # only reached when a test fails


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_handed_on_once_and_the_child_heals(project: Project, number: signal.Signals) -> None:
    healed = ["say", {"kind": "done", "name": "heal", "seconds": 1.0, "text": "healed by the child"}]
    after = [
        ["until", str(project.root / "told-again")],
        healed,
        ["verdict", {"verdict": "INCONCLUSIVE", "sentence": "The run is incomplete."}],
    ]
    project.experiment("serving/second")
    project.script(
        pod_killed=[["on-term", after], RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", PATIENCE_S]], second=PASS
    )
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(number)
    wait_for(lambda: f"{number.name}: the fault is being healed" in log.read_text(), process)
    process.send_signal(number)
    wait_for(lambda: f"{number.name} again: the run is still in phase" in log.read_text(), process)
    (project.root / "told-again").touch()
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    text = log.read_text()
    assert "healed by the child" in text
    assert "INCONCLUSIVE: The run is incomplete; report: " in text
    assert not any((project.root / "out/runs").glob("*second*"))


def test_a_second_session_on_the_same_target_is_refused(project: Project) -> None:
    project.script(pod_killed=[RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", PATIENCE_S]])
    log = project.root / "log.txt"
    first = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), first)
    second = project.chaos()
    first.send_signal(signal.SIGTERM)
    first.wait(PATIENCE_S)
    assert second.code == 11
    assert f"another session here (process {first.pid}) is running experiments on it" in second.text
    assert "stopped by SIGTERM" in log.read_text()


def test_a_session_that_is_killed_half_way_has_a_report_once_its_last_run_is_over(project: Project) -> None:
    project.experiment("serving/second")
    project.script(pod_killed=[RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", PATIENCE_S]], second=PASS)
    log = project.root / "log.txt"
    first = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), first)
    [child] = psutil.Process(first.pid).children()
    first.kill()
    first.wait(PATIENCE_S)
    assert "killed half-way" not in project.chaos("-k", "second").text, "its run is alive"
    child.kill()
    psutil.wait_procs([child], PATIENCE_S)
    done = project.chaos("-k", "second")
    assert "a session was killed half-way; its report, marked incomplete: " in done.text
    [report] = (project.root / "out/unfinished").glob("*/report.json")
    says = json.loads(report.read_text())
    assert says["sentence"].startswith("This night is incomplete: the session was killed, and 1 of 2 runs were not begun.")
    assert says["verdict"] == "INCONCLUSIVE"
    assert {one["id"]: one["reason"] for one in says["not_tested"]} == {
        "serving/pod-killed": "the session was killed in its preflight; nothing was injected",
        "serving/second": "not run: the session was killed",
    }
    assert list((project.root / "out/sessions").iterdir()) == []
    assert "killed half-way" not in project.chaos("-k", "second").text, "it is said once"


def test_a_signal_before_preflight_is_done_injects_nothing(project: Project) -> None:
    project.script(pod_killed=[["say", {"kind": "note", "text": "under way"}], ["wait", PATIENCE_S]])
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert "stopped by SIGINT before preflight was done; nothing was injected" in log.read_text()
