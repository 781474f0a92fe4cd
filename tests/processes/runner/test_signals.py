"""What a session does when it is told to stop, or meets another one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable

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
    after = [["wait", 1], healed, ["verdict", {"verdict": "INCONCLUSIVE", "sentence": "The run is incomplete."}]]
    project.experiment("serving/second")
    project.script(pod_killed=[["on-term", after], RESOLVED, ["say", {"kind": "note", "text": "under way"}], ["wait", 60]], second=PASS)
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(number)
    wait_for(lambda: f"{number.name}: the fault is being healed" in log.read_text(), process)
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
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
    first.wait(PATIENCE_S)
    assert second.code == 11
    assert f"another session here (process {first.pid}) is running experiments on it" in second.text
    assert "stopped by SIGTERM" in log.read_text()


def test_a_signal_before_preflight_is_done_injects_nothing(project: Project) -> None:
    project.script(pod_killed=[["say", {"kind": "note", "text": "under way"}], ["wait", 60]])
    log = project.root / "log.txt"
    process = project.start(log)
    wait_for(lambda: "under way" in log.read_text(), process)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == pytest.ExitCode.INTERRUPTED
    assert "stopped by SIGINT before preflight was done; nothing was injected" in log.read_text()
