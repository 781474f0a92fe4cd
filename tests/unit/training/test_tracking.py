"""Tracking: MLflow's REST calls, kept by a real server, and a server that is down costs metrics, never a step."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from workloads.training.errors import SettingsRefused
from workloads.training.ledger_server import LedgerServer
from workloads.training.tracking import InlineTracker, Mlflow, NoTracker, QueueTracker, open_tracker
from workloads.training.tracking_server import API, Handler


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LedgerServer]:
    with LedgerServer(("127.0.0.1", 0), tmp_path, Handler) as server:
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


def _history(server: LedgerServer, run: str, metric: str) -> requests.Response:
    asked = {"run_id": run, "metric_key": metric}
    return requests.get(f"http://127.0.0.1:{server.server_port}{API}/metrics/get-history", params=asked, timeout=5)


def test_metrics_arrive_in_order(server: LedgerServer) -> None:
    tracker = open_tracker(f"http://127.0.0.1:{server.server_port}/run-7", inline=False)
    for step in (10, 20):
        tracker.log(step, {"loss": 1.5})
    tracker.close()
    assert tracker.dropped == 0
    assert [(one["key"], one["step"], one["value"]) for one in _history(server, "run-7", "loss").json()["metrics"]] == [
        ("loss", 10, 1.5),
        ("loss", 20, 1.5),
    ]
    assert _history(server, "run-7", "accuracy").json() == {"metrics": []}


def test_what_was_logged_outlives_the_server(server: LedgerServer, tmp_path: Path) -> None:
    Mlflow(f"http://127.0.0.1:{server.server_port}", "run").send(10, {"loss": 1.5}, 5)
    with (tmp_path / "run.jsonl").open("a") as file:
        file.write('{"key": "lo')  # a power cut in the middle of a line
    with LedgerServer(("127.0.0.1", 0), tmp_path, Handler) as again:
        thread = threading.Thread(target=again.serve_forever, args=(0.01,))
        thread.start()
        assert [one["step"] for one in _history(again, "run", "loss").json()["metrics"]] == [10]
        again.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"run_id": "run", "metrics": [{"key": "loss", "value": "high", "timestamp": 1, "step": 1}]}, 400),
        ({"run_id": "run", "metrics": [{"key": "loss", "value": 1.0, "step": 1}]}, 400),
        ({"run_id": "../../etc", "metrics": []}, 400),
        ({"metrics": []}, 400),
        ({"run_id": "run", "metrics": []}, 200),
    ],
)
def test_what_is_no_batch_is_refused_and_not_kept(server: LedgerServer, tmp_path: Path, body: object, status: int) -> None:
    answer = requests.post(f"http://127.0.0.1:{server.server_port}{API}/runs/log-batch", json=body, timeout=5)
    assert answer.status_code == status
    assert list(tmp_path.iterdir()) == []


def test_a_run_or_a_page_that_is_not_there_is_said(server: LedgerServer) -> None:
    assert _history(server, "nobody", "loss").json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert requests.get(f"http://127.0.0.1:{server.server_port}/health", timeout=5).text == "OK"
    assert requests.get(f"http://127.0.0.1:{server.server_port}/elsewhere", timeout=5).status_code == 400
    assert requests.post(f"http://127.0.0.1:{server.server_port}/elsewhere", json={"run_id": "run"}, timeout=5).status_code == 404


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
