"""What Alertmanager tells is recorded as it comes; what else comes is bounded, said, and ends nothing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from history.alert_plan import AlertPlan
from history.close import close_run
from history.plan import write_plan
from history.reader import read_run, read_table
from history.schema import Notice
from runner.event_log import RunLog
from runner.run.observer import alert_receiver
from runner.run.observer.alert_receiver import LARGEST_BYTES, AlertReceiver, receiver_in
from target.alerts import Receiver
from testing.histories.truth import World
from testing.histories.truth_plan import plan_of
from testing.platform.fake_cluster import local_target
from testing.platform.notifications import notification, notified
from testing.waiting import wait_for
from workloads.storage.server import free_port

PLAN = AlertPlan(
    rule="InferenceUnavailable", group="a", roles=("inference",), workload="realtime-inference", query="up == 0", scrape_s=1,
    evaluation_s=5, for_s=10, group_wait_s=1,
)  # fmt: skip


def rows(folder: Path, *kinds: Notice) -> list[tuple[Any, ...]]:
    """Return kind, rule, since when and detail of each row of these kinds; of none: of all but the first, that it listens."""
    found = read_table(folder, "notifications").select("kind", "rule", "starts_ns", "detail").rows()
    return [row for row in found if row[0] in kinds or (not kinds and row[0] != Notice.LISTENING)]


def unread(folder: Path) -> list[str]:
    return [json.loads(detail)["text"] for _, _, _, detail in rows(folder, Notice.UNREAD)]


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setattr(alert_receiver, "UNREAD_EVERY_S", 0.0)
    return Receiver(listen=f"127.0.0.1:{free_port()}", group_wait=1)


@pytest.fixture
def url(declared: Receiver, log: RunLog) -> Iterator[str]:
    receiver = AlertReceiver(declared, [PLAN], {"cluster": "eu"}, log)
    receiver.start()
    yield f"http://{declared.listen}/"
    receiver.stop()


def post(url: str, body: object) -> int:
    """Return the status with which a body is answered."""
    return requests.post(url, data=body if isinstance(body, bytes) else json.dumps(body).encode(), timeout=10).status_code


def test_each_alert_of_a_judged_rule_is_a_row_and_others_are_left_out(url: str, tmp_path: Path) -> None:
    others = notified("Watchdog"), notified(cluster="us")
    assert post(url, notification(notified(pod="a", cluster="eu"), *others, notified(status="resolved"))) == 200
    assert [row[:2] for row in rows(tmp_path)] == [("firing", "InferenceUnavailable"), ("resolved", "InferenceUnavailable")]
    _, _, starts_ns, detail = rows(tmp_path)[0]
    assert starts_ns == pytest.approx(1_796_111_674_528_064_848, abs=1_000_000)
    assert json.loads(detail)["pod"] == "a"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no notification of Alertmanager, version 4: the body: Invalid JSON"),
        (b"alerts=1", "Invalid JSON"),
        (b"\xff\xfe\x00", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        ([], "the body"),
        (notification(version="3"), "version"),
        ({"version": "4"}, "alerts: Field required"),
        (notification(notified() | {"status": "maybe"}), "alerts.0.status"),
        (notification(notified() | {"labels": {"alertname": 1}}), "alerts.0.labels.alertname"),
        (notification(notified() | {"startsAt": "0001-01-01T00:00:00Z"}), "alerts.0.startsAt"),
        (notification(notified() | {"startsAt": "9999-01-01T00:00:00Z"}), "alerts.0.startsAt"),
        (notification(notified() | {"startsAt": "2026-12-01T07:54:34"}), "alerts.0.startsAt"),
    ],
)
def test_what_is_no_notification_is_refused_and_said(url: str, tmp_path: Path, body: object, said: str) -> None:
    assert post(url, body) == 400
    assert said in unread(tmp_path)[0]
    assert post(url, notification(notified())) == 200  # it goes on


def test_what_is_too_large_is_not_read(url: str, tmp_path: Path) -> None:
    assert b" 413 " in answer_to(url, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BYTES + 1))
    assert b" 413 " in answer_to(url, b"POST / HTTP/1.1\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000))
    assert all("bytes; at most" in text for text in unread(tmp_path))
    assert max(map(len, unread(tmp_path))) < 200


@pytest.mark.parametrize(
    ("words", "answer", "said"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", b" 411 ", "does not say how long it is"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b" 411 ", "does not say how long it is"),
        (b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nshort", b" 400 ", "cut off after 5 of 50 bytes"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b" 501 ", "Unsupported method"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b" 400", "Bad request"),
    ],
)
def test_what_is_no_post_of_a_known_length_is_said(url: str, tmp_path: Path, words: bytes, answer: bytes, said: str) -> None:
    assert answer in answer_to(url, words)
    assert said in " ".join(unread(tmp_path))


def test_who_only_looks_is_told_how_and_nothing_is_recorded(url: str, tmp_path: Path) -> None:
    answered = requests.get(url, timeout=10)
    assert (answered.status_code, answered.headers["Allow"]) == (405, "POST")
    assert rows(tmp_path) == []


def answer_to(url: str, words: bytes) -> bytes:
    """Return the beginning of what is answered to these words, after which nothing more is said."""
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(words)
        wire.shutdown(socket.SHUT_WR)
        return wire.recv(4096)


def test_a_client_that_is_silent_is_given_up(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_receiver._Handler, "timeout", 0.1)
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nshort")
        assert wire.recv(4096) == b""
    assert "timed out" in unread(tmp_path)[0]


def test_too_many_at_once_are_refused_and_the_next_is_taken(url: str, tmp_path: Path) -> None:
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    held = [socket.create_connection((host, int(port)), timeout=10) for _ in range(alert_receiver.AT_ONCE)]
    for wire in held:
        wire.sendall(b"POST / HTTP/1.1\r\n")
    wait_for(lambda: len(threading.enumerate()) >= alert_receiver.AT_ONCE, "all are waited for")
    with socket.create_connection((host, int(port)), timeout=10) as refused:
        assert refused.recv(4096) == b""
    assert "connections at once" in unread(tmp_path)[0]
    for wire in held:
        wire.close()
    wait_for(lambda: _taken(url), "a notification is taken again")


def _taken(url: str) -> bool:
    try:
        return post(url, notification(notified())) == 200
    except requests.ConnectionError:
        return False


def test_a_flood_of_alerts_is_bounded_and_said(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_receiver, "MOST_ROWS", 3)
    assert post(url, notification(*[notified()] * 10)) == 200
    assert len(rows(tmp_path, Notice.FIRING)) == 3
    assert "more than 3 alerts" in unread(tmp_path)[0]


def test_garbage_is_recorded_once_a_second_at_most(log: RunLog, tmp_path: Path) -> None:
    recorder = alert_receiver.Recorder([PLAN], {}, log)
    assert not any(recorder.took(b"x", 1) for _ in range(100))
    assert len(unread(tmp_path)) == 1


def test_alerts_that_alertmanager_left_out_are_said(url: str, tmp_path: Path) -> None:
    assert post(url, notification(notified(), truncatedAlerts=7)) == 200
    assert "without 7 of its alerts; leave max_alerts out" in unread(tmp_path)[0]


def test_a_port_that_is_taken_is_recorded_and_ends_nothing(log: RunLog, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        receiver = AlertReceiver(Receiver(listen=listen, group_wait=1), [PLAN], {}, log)
        receiver.start()
        receiver.stop()
    (row,) = rows(tmp_path)
    assert row[0] == "deaf"
    assert f"it could not listen on {listen} ([Errno 98] Address already in use)" in row[3]


def test_after_a_run_the_port_is_free_and_the_rows_are_kept(declared: Receiver, log: RunLog, tmp_path: Path) -> None:
    write_plan(plan_of(World()), tmp_path)
    receiver = AlertReceiver(declared, [PLAN], {}, log)
    receiver.start()
    assert post(f"http://{declared.listen}/any/path", notification(notified())) == 200
    receiver.stop()
    socket.create_server(declared.address).close()
    log.close()
    close_run(tmp_path)
    assert not list(tmp_path.glob("notifications.*.jsonl"))
    assert read_run(tmp_path).notifications["kind"].to_list() == ["listening", "firing"]


def test_an_address_of_version_6(log: RunLog, tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
        listen = f"[::1]:{free.getsockname()[1]}"
    receiver = AlertReceiver(Receiver(listen=listen, group_wait=1), [PLAN], {}, log)
    receiver.start()
    assert post(f"http://{listen}/", notification(notified())) == 200
    receiver.stop()
    assert [row[0] for row in rows(tmp_path)] == ["firing"]


def test_no_receiver_where_none_is_declared_or_no_rule_is_judged(log: RunLog) -> None:
    rule, prometheus = {"rule": "InferenceUnavailable", "roles": "inference"}, {"url": "http://127.0.0.1:1"}
    said = {"listen": "127.0.0.1:9", "group_wait": "1s"}
    with_one = local_target(prometheus=prometheus, alerts={"rules": [rule], "receiver": said}).only_region()
    without = local_target(prometheus=prometheus, alerts=[rule]).only_region()
    assert receiver_in(with_one, [PLAN], log) is not None
    assert receiver_in(with_one, [], log) is None
    assert receiver_in(without, [PLAN], log) is None
