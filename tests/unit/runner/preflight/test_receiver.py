"""The suite's receiver of alerts: a run is refused where it can't listen, and has it for its time alone."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import requests

from history.alert_plan import AlertPlan
from history.errors import TargetRefused
from history.reader import read_table
from kube.client import Platform
from runner.event_log import RunLog
from runner.preflight.instruments import check_receiver
from runner.run.context import Observations
from runner.run.observer import observer as observing
from runner.run.observer.observer import Observer
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.notifications import notification, notified

RULE = {"rule": "InferenceUnavailable", "roles": "inference"}
PLAN = AlertPlan(
    rule="InferenceUnavailable", group="a", roles=("inference",), workload="realtime-inference", query="up == 0", scrape_s=1,
    evaluation_s=5, for_s=10, group_wait_s=1,
)  # fmt: skip


def platform_of(listen: str) -> Platform:
    """Return a platform whose target file has the receiver listen there."""
    alerts = {"rules": [RULE], "receiver": {"listen": listen, "group_wait": "1s"}}
    return FakeCluster().platform(local_target(prometheus={"url": "http://127.0.0.1:9"}, alerts=alerts))


def test_a_port_that_is_taken_refuses_the_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TargetRefused, match="Address already in use") as refused:
            check_receiver(platform_of(listen))
    assert str(refused.value).startswith(f"the receiver of alerts can't listen on {listen} (")
    assert str(refused.value).endswith("write an address of this machine and a free port as listen")
    check_receiver(platform_of(listen))  # it is free now, and stays so
    check_receiver(platform_of(listen))


def test_an_address_of_another_machine_refuses_the_run() -> None:
    with pytest.raises(TargetRefused, match="Cannot assign requested address"):
        check_receiver(platform_of("192.0.2.1:9094"))


def test_who_names_no_receiver_is_asked_for_nothing() -> None:
    check_receiver(FakeCluster().platform(local_target(prometheus={"url": "http://127.0.0.1:9"}, alerts=[RULE])))
    check_receiver(FakeCluster().platform())


def test_the_observer_listens_for_the_time_of_a_run(tmp_path: Path, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing.Observer, "_subjects", lambda *_: [])  # no watches: they are another's test
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    observer = Observer(platform_of(listen), log, Observations(), "inference", alerts=[PLAN])
    observer.start()
    try:
        assert requests.post(f"http://{listen}/", json=notification(notified()), timeout=5).status_code == 200
    finally:
        observer.stop()
    with pytest.raises(requests.ConnectionError):
        requests.post(f"http://{listen}/", json=notification(notified()), timeout=5)
    assert read_table(tmp_path, "notifications")["kind"].to_list() == ["listening", "firing"]
