"""The program of a load pod, without a pod: a WebSocket server stands for the cluster, its worker sends to a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import simple_websocket
from kubernetes import client

from history.clock import now_ns
from history.reader import read_run
from history.schema import EventKind
from runner.drivers.requests import load_pod
from runner.drivers.requests.load_pod import Lost, Stream, attach
from runner.drivers.requests.load_relay import Relay, record_clock
from testing.load.load_runs import rows_written, scripted_server, write_load_plan
from testing.load.program import ROOT
from testing.waiting import wait_for
from verdict.case import case_of
from verdict.shared.checks_record import gaps
from workloads.load.inputs import prepare


class Cluster(ThreadingHTTPServer):
    """Attaches whoever asks to the pod's program; the end of the connection is the end of its stdin, as ``stdinOnce`` has it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Attach)
        command = [sys.executable, "-m", "workloads.load.pod", str(folder)]
        self.program = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.asked = ""
        Thread(target=self.serve_forever, daemon=True).start()

    @contextmanager
    def attach(self) -> Iterator[Stream]:
        api = client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{self.server_port}"))
        stream = attach(SimpleNamespace(api=api, target=SimpleNamespace(suite=SimpleNamespace(namespace="aftershock"))), "a-pod")  # type: ignore[arg-type]
        try:
            yield stream
        finally:
            stream._client.sock.shutdown()

    def say(self, connection: Any) -> None:
        assert self.program.stdout
        with suppress(simple_websocket.ConnectionClosed):
            while data := os.read(self.program.stdout.fileno(), 65_536):
                connection.send(b"\1" + data)
            connection.send(b'\3{"status":"Success"}')
            connection.close()


class Attach(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        self.server.asked, program = self.path, self.server.program
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.headers.items()}
        connection = simple_websocket.Server(headers | {"werkzeug.socket": self.connection}, ["v5.channel.k8s.io"])
        Thread(target=self.server.say, args=[connection]).start()
        assert program.stdin
        with suppress(simple_websocket.ConnectionClosed), program.stdin:
            while True:
                program.stdin.write(connection.receive()[1:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(load_pod, "FOLDER", str(tmp_path / "pod"))
    with Cluster(tmp_path / "pod") as cluster, cluster.program:
        yield cluster
        cluster.program.kill()
        cluster.shutdown()


def started(folder: Path, stream: Stream, **load: Any) -> Relay:
    """A relay whose worker has been started."""
    plan = write_load_plan(folder, **load)
    prepare(folder)
    relay = Relay(folder, 0, stream)
    record_clock(folder, 0, "a-node", relay.measure())
    relay.start(plan)
    return relay


def follow(relay: Relay, pod: Path) -> int:
    """Follow the worker; it is given its origin when it is ready, as its main process does."""
    reading, writing = os.pipe()

    def give_origin() -> None:
        wait_for(lambda: any(b"WORKER_READY" in file.read_bytes() for file in pod.glob("said.*")), "a worker that is ready")
        os.write(writing, f"{now_ns() + 200_000_000}\n".encode())
        os.close(writing)

    Thread(target=give_origin).start()
    return relay.follow(os.getppid(), reading)


def test_a_worker_elsewhere_leaves_a_whole_record_here(tmp_path: Path, cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    with scripted_server(tmp_path / "truth.json") as server, cluster.attach() as stream:
        assert follow(started(tmp_path / "run", stream, url=server.url), tmp_path / "pod") == 0
    run = read_run(tmp_path / "run")
    assert sorted(run.requests["request_id"]) == sorted(run.schedule["request_id"])
    assert run.requests["outcome"].unique().to_list() == ["ok"]
    case = case_of(run)
    assert list(gaps(case)) == []
    assert case.audit.audited == 1
    assert case.clocks.elsewhere == ("load-0",)
    assert cluster.program.wait() == 0
    assert cluster.asked == "/api/v1/namespaces/aftershock/pods/a-pod/attach?container=load&stdin=true&stdout=true&stderr=true"
    assert [json.loads(line)["event"] for line in capfd.readouterr().out.splitlines()] == ["WORKER_READY", "READY"]


def test_it_ends_when_the_suite_is_gone(tmp_path: Path, cluster: Cluster) -> None:
    with scripted_server(tmp_path / "truth.json") as server, cluster.attach() as stream, ThreadPoolExecutor(1) as pool:
        relay = started(tmp_path / "run", stream, url=server.url, horizon_s=600.0)
        following = pool.submit(follow, relay, tmp_path / "pod")
        wait_for(lambda: rows_written(tmp_path / "run") > 0, "rows of the worker")
        stream._client.sock.sock.shutdown(socket.SHUT_RDWR)
        assert cluster.program.wait() == 0
        with pytest.raises(Lost, match="the connection to it broke"):
            following.result()
    account = next(row for row in read_run(tmp_path / "pod").events.rows() if row[1] == EventKind.LOAD_AUDIT.value)
    assert json.loads(account[3])["stopped_by"] == "SIGTERM"


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, r'without an end mark: {"status":"Success"}'), (signal.SIGSTOP, "nothing was heard of it for 1 s")],
)
def test_a_program_that_is_not_heard_is_lost(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, words: str
) -> None:
    with cluster.attach() as stream, Path("/dev/null").open("rb") as nobody:
        relay = Relay(tmp_path, 0, stream)
        assert relay.measure().error_ns < 1e9
        if number is signal.SIGSTOP:  # of one that was killed the end is heard, however late
            monkeypatch.setattr(load_pod, "SILENT_S", 1.0)
        cluster.program.send_signal(number)
        with pytest.raises(Lost, match=words):
            relay.follow(os.getppid(), nobody.fileno())
