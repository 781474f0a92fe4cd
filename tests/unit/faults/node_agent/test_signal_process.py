"""The text that runs in the ephemeral container, run for real against processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from faults.mechanisms.process_signal import SCRIPT
from kube import container_exec
from target.role import Process as Which
from testing.platform.fake_cluster import FakeCluster
from testing.platform.forked import ENGINE, forked, stopped

Process = subprocess.Popen[str]
Start = Callable[..., Process]
PLACE = (FakeCluster().platform(), "a", "ml-serving", "server")
LONG = "import time; time.sleep(600)"


@pytest.fixture
def started() -> Iterator[Start]:
    processes: list[Process] = []

    def start(*command: str, **more: Any) -> Process:
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def run_text(start: Start, process: str, for_s: float, share: float = 1.0) -> Process:
    """Start the text as the ephemeral container does."""
    environment = os.environ | {"AFTERSHOCK_PROCESS": process, "AFTERSHOCK_FOR_S": f"{for_s:g}", "AFTERSHOCK_SHARE": f"{share:g}"}
    return start(sys.executable, "-c", SCRIPT.read_text(), env=environment)


def hit(start: Start, for_s: float, share: float = 1.0) -> tuple[Process, Process]:
    """Start an engine and the text that is to hit it."""
    name = f"engine-{uuid4()}"
    return start(sys.executable, "-c", LONG, name), run_text(start, name, for_s, share)


def state_of(process: Process) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]


def wait_for_state(process: Process, *states: str) -> None:
    deadline = time.monotonic() + 20
    while state_of(process) not in states:
        assert time.monotonic() < deadline, f"process is {state_of(process)}, expected {states}"
        time.sleep(0.01)


def account(text: Process) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.communicate(timeout=20)[0].splitlines()]


def test_it_stops_the_process_and_lets_it_go_on_by_itself(started: Start) -> None:
    engine, text = hit(started, 1.0)
    wait_for_state(engine, "T")
    said = account(text)
    assert text.returncode == 0
    assert state_of(engine) != "T"
    assert [line["did"] for line in said] == ["stopped", "continued"]
    assert said[1]["because"] == "time is over"
    assert said[1]["t_ns"] - said[0]["t_ns"] >= 1e9


def test_a_process_that_is_slowed_is_stopped_again_and_again_and_goes_on(started: Start) -> None:
    engine, text = hit(started, 3.0, 0.5)
    for _ in range(2):
        wait_for_state(engine, "T")
        wait_for_state(engine, "S")
    said = account(text)
    assert state_of(engine) == "S"
    assert [line["did"] for line in said] == ["stopped", "continued"]
    assert said[0]["share"] == 0.5


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_lets_the_process_go_on_when_it_is_ended_early(started: Start, ending: signal.Signals) -> None:
    engine, text = hit(started, 600)
    wait_for_state(engine, "T")
    text.send_signal(ending)
    said = account(text)
    assert state_of(engine) != "T"
    assert said[-1]["because"] == ending.name


def test_it_kills_exactly_that_process(started: Start) -> None:
    bystander = started(sys.executable, "-c", LONG, "bystander")
    engine, text = hit(started, 0)
    assert account(text)[0]["did"] == "killed"
    assert engine.wait(20) == -signal.SIGKILL
    assert bystander.poll() is None


def test_two_of_one_command_line_are_refused_in_words(started: Start) -> None:
    with forked() as both:
        text = run_text(started, both.name, 600)
        assert account(text)[0]["refused"] == f"2 processes have '{both.name}' in their command line, expected exactly 1"


@pytest.mark.parametrize("which", ["child_of", "title", "listens", "pick"])
def test_a_role_may_say_otherwise_which_of_two_with_one_command_line_is_meant(which: str) -> None:
    with forked() as (name, api, engine, port):
        said = {"child_of": name, "title": ENGINE, "listens": port, "pick": "newest"}
        assert stopped(name, api, engine, **{which: said[which]}) == "the engine, not the API"


def test_the_evidence_finds_the_same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_exec, "output_of", lambda *place: subprocess.run(place[-1], stdout=-1, text=True, check=False).stdout)
    with forked() as (name, _, engine, port):
        for which in ({"child_of": name}, {"title": ENGINE}, {"listens": port}, {"pick": "newest"}):
            found = container_exec.workers(*PLACE, Which.model_validate({"match": name} | which))
            assert [process.pid for process in found] == [engine]


def test_two_that_match_are_refused(started: Start) -> None:
    name = f"engine-{uuid4()}"
    engines = [started(sys.executable, "-c", LONG, name) for _ in range(2)]
    for engine in engines:
        wait_for_state(engine, "S")
    text = run_text(started, name, 0)
    said = account(text)
    assert text.returncode == 3
    assert said[0]["refused"].startswith("2 processes have")
    assert all(engine.poll() is None for engine in engines)


def test_none_that_matches_is_refused_and_it_never_finds_itself(started: Start) -> None:
    text = run_text(started, "signal.pidfd_send_signal", 0)  # stands in the text itself
    assert account(text)[0]["refused"].startswith("0 processes have")
    assert text.returncode == 3


def test_another_signal_text_is_never_taken_for_the_engine(started: Start) -> None:
    engine, first = hit(started, 600)
    wait_for_state(engine, "T")
    second = run_text(started, "SIGCONT", 0)  # only the first text contains it
    assert account(second)[0]["refused"].startswith("0 processes have")
    assert first.poll() is None


def test_a_process_that_dies_while_it_is_stopped_is_no_error(started: Start) -> None:
    engine, text = hit(started, 600)
    wait_for_state(engine, "T")
    engine.kill()
    engine.wait(20)
    text.terminate()
    assert account(text)[-1]["did"] == "ended"
    assert text.returncode == 0
