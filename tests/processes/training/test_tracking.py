"""Tracking by MLflow itself: metrics arrive under the job's name, the next attempt goes on with the run, a hang costs no step."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from testing.waiting import wait_for
from workloads.storage.server import free_port
from workloads.training.telemetry.mlflow_server import MlflowServer
from workloads.training.telemetry.tracking import Tracker, open_tracker

API = "api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with MlflowServer(tmp_path_factory.mktemp("mlflow"), free_port()) as server:
        yield server


def history(server: MlflowServer, run_id: str, metric: str) -> list[tuple[int, float]]:
    asked = {"run_id": run_id, "metric_key": metric}
    answer = requests.get(f"{server.endpoint}/{API}/metrics/get-history", params=asked, timeout=30)
    held: list[dict[str, Any]] = answer.json().get("metrics", [])
    return [(one["step"], one["value"]) for one in held]


def log(tracker: Tracker, *steps: int) -> None:
    for step in steps:
        tracker.log(step, {"loss": step / 10})


def test_metrics_arrive_and_the_next_attempt_goes_on_with_the_run(server: MlflowServer) -> None:
    first = open_tracker(f"{server.endpoint}/run-7", inline=False)
    assert first.run_id == ""
    log(first, 10, 20)
    wait_for(lambda: len(history(server, first.run_id, "loss")) == 2, "two metrics are held")
    first.close()
    again = open_tracker(f"{server.endpoint}/run-7", inline=True)
    log(again, 30)
    assert again.run_id == first.run_id
    assert history(server, first.run_id, "loss") == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert history(server, first.run_id, "accuracy") == []
    assert first.dropped == again.dropped == 0


def test_while_it_hangs_steps_wait_in_the_queue_and_arrive_later(server: MlflowServer) -> None:
    tracker = open_tracker(f"{server.endpoint}/run-8", inline=False)
    log(tracker, 10)
    wait_for(lambda: bool(history(server, tracker.run_id, "loss")), "a metric is held")
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not server.answers()
        log(tracker, 20, 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: len(history(server, tracker.run_id, "loss")) == 3, "three metrics are held")
    tracker.close()
    assert tracker.dropped == 0


def test_a_loss_that_is_no_number_arrives_as_such_and_what_mlflow_refuses_stops_nothing(server: MlflowServer) -> None:
    tracker = open_tracker(f"{server.endpoint}/run-9", inline=False)
    tracker.log(10, {"loss": math.nan})
    tracker.log(20, {"loss": math.inf, "a key that is too long " * 20: 1.0})
    tracker.log(30, {"loss": 3.0})
    wait_for(lambda: len(history(server, tracker.run_id, "loss")) == 2, "two metrics are held")
    tracker.close()
    assert [(step, str(value).lower()) for step, value in history(server, tracker.run_id, "loss")] == [(10, "nan"), (30, "3.0")]
    assert tracker.dropped == 1
