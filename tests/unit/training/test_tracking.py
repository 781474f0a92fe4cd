"""A tracking server that is down costs metrics, never a step. With MLflow itself: tests/processes/training/test_tracking.py."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
import requests

from workloads.training.errors import SettingsRefused
from workloads.training.telemetry.tracking import InlineTracker, Mlflow, QueueTracker, Tracker, open_tracker


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def test_a_silent_server_costs_metrics_and_no_time(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.training.telemetry.tracking._TIMEOUT_S", 0.2)
    monkeypatch.setattr("workloads.training.telemetry.tracking._QUEUE", 50)
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
    monkeypatch.setattr("workloads.training.telemetry.tracking.time.sleep", pauses.append)
    monkeypatch.setattr("workloads.training.telemetry.tracking._INLINE_TIMEOUT_S", 0.05)
    tracker = open_tracker(f"http://127.0.0.1:{silent}/run", inline=True)
    assert isinstance(tracker, InlineTracker)
    with pytest.raises(requests.RequestException):
        tracker.log(1, {"loss": 1.0})
    assert pauses == [1, 2, 4, 8]


def test_no_address_no_tracking() -> None:
    assert type(open_tracker("", inline=False)) is Tracker
    for address in ("host:5000/run", "http://host:5000", "http://host:5000/a/b", "http://host:5000/it's"):
        with pytest.raises(SettingsRefused, match="TRAIN_TRACKING"):
            open_tracker(address, inline=False)
