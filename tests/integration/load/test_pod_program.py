"""The program of a load pod, without a pod: over pipes to the relay that a crew starts, its worker against a real server."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from history.clock import now_ns
from history.reader import read_run
from history.schema import EventKind
from history.wire import Message, Messages, line
from runner.drivers.requests import load_pod
from runner.drivers.requests.load_relay import Relay, record_clock
from runner.drivers.requests.load_stream import Lost
from testing.load.load_runs import ROOT, rows_written, scripted_server, write_load_plan
from verdict.case import case_of
from verdict.shared.checks_record import gaps
from workloads.load.offer import prepare


class Pipes:
    """The pod's program as a child; the origin is given as soon as its worker is ready, as a crew does."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "workloads.load.pod", str(folder)]
        self.program = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._messages = Messages()

    def send(self, data: bytes) -> None:
        assert self.program.stdin
        while data:
            data = data[self.program.stdin.write(data) or 0 :]

    def receive(self, wait_s: float, _beside: object = None) -> Iterator[tuple[Message, bytes]]:
        assert self.program.stdout
        if not select.select([self.program.stdout], [], [], wait_s)[0]:
            return
        data = os.read(self.program.stdout.fileno(), 65_536)
        if not data:
            raise Lost("it ended without an end mark")
        for message, body in self._messages.feed(data):
            yield message, body
            if json.loads(message.get("said", "{}")).get("event") == "WORKER_READY":
                self.send(line(origin=now_ns() + 100_000_000))

    def close(self) -> None:
        self.program.kill()
        self.program.communicate()


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipes]:
    monkeypatch.setattr(load_pod, "FOLDER", str(tmp_path / "pod"))
    pipes = Pipes(tmp_path / "pod")
    yield pipes
    pipes.close()


def begun(folder: Path, pipes: Any, **load: Any) -> Relay:
    """A relay whose worker has been told to begin."""
    plan = write_load_plan(folder, **load)
    prepare(folder)
    relay = Relay(folder, 0, pipes)
    record_clock(folder, 0, "a-node", relay.measure())
    relay.begin(plan)
    return relay


def test_a_worker_elsewhere_leaves_a_whole_record_here(tmp_path: Path, pod: Pipes) -> None:
    with scripted_server(tmp_path / "truth.json") as server:
        assert begun(tmp_path / "run", pod, url=server.url).carry(os.getppid()) == 0
    run = read_run(tmp_path / "run")
    assert sorted(run.requests["request_id"]) == sorted(run.schedule["request_id"])
    assert run.requests["outcome"].unique().to_list() == ["ok"]
    case = case_of(run)
    assert list(gaps(case)) == []
    assert case.audit.audited == 1
    assert case.clocks.elsewhere == ("load-0",)
    assert pod.program.wait() == 0


def test_it_ends_when_the_suite_is_gone(tmp_path: Path, pod: Pipes) -> None:
    with scripted_server(tmp_path / "truth.json") as server:
        begun(tmp_path / "run", pod, url=server.url, horizon_s=600.0)
        while not rows_written(tmp_path / "pod"):
            list(pod.receive(1.0))
        pod.program.communicate()  # closes its stdin
    account = next(row for row in read_run(tmp_path / "pod").events.rows() if row[1] == EventKind.LOAD_AUDIT.value)
    assert json.loads(account[3])["stopped_by"] == "SIGTERM"
