"""Tracking: MLflow's REST call, and a server that is down costs metrics, never a step."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from workloads.training.errors import SettingsRefused
from workloads.training.tracking import InlineTracker, Mlflow, NoTracker, QueueTracker, open_tracker


class _Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def test_metrics_arrive_in_order(server: _Server) -> None:
    tracker = open_tracker(f"http://127.0.0.1:{server.server_port}/run-7", inline=False)
    for step in (10, 20):
        tracker.log(step, {"loss": 1.5})
    tracker.close()
    assert tracker.dropped == 0
    assert [path for path, _ in server.received] == ["/api/2.0/mlflow/runs/log-batch"] * 2
    assert [(body["run_id"], body["metrics"][0]["step"], body["metrics"][0]["value"]) for _, body in server.received] == [
        ("run-7", 10, 1.5),
        ("run-7", 20, 1.5),
    ]


def test_a_silent_server_costs_metrics_and_no_time(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.training.tracking._TIMEOUT_S", 0.2)
    monkeypatch.setattr("workloads.training.tracking._QUEUE", 50)
    tracker = QueueTracker(Mlflow(f"http://127.0.0.1:{silent}", "run"))
    spent = time.process_time()
    for step in range(100):
        tracker.log(step, {"loss": 1.0})
    assert tracker.dropped >= 49
    tracker.close()
    assert tracker.dropped == 100
    assert time.process_time() - spent < 5


def test_the_weak_way_stands_in_the_step_and_raises(monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("workloads.training.tracking.time.sleep", pauses.append)
    monkeypatch.setattr("workloads.training.tracking._INLINE_TIMEOUT_S", 0.05)
    tracker = open_tracker(f"http://127.0.0.1:{silent}/run", inline=True)
    assert isinstance(tracker, InlineTracker)
    with pytest.raises(requests.RequestException):
        tracker.log(1, {"loss": 1.0})
    assert pauses == [1, 2, 4, 8]


def test_no_address_no_tracking() -> None:
    assert isinstance(open_tracker("", inline=False), NoTracker)
    for address in ("host:5000/run", "http://host:5000", "http://host:5000/a/b"):
        with pytest.raises(SettingsRefused, match="TRAIN_TRACKING"):
            open_tracker(address, inline=False)
