"""Silences of a run: which alerts they match, until when, and what is said where Alertmanager does not take them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from history.clock import now_ns
from history.errors import FaultFailed
from history.plan import ResolvedTarget
from safety.active_run import ActiveRun
from safety.silence import begin_silence, matchers_of
from target.target import Target
from testing.answering import answering
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run

NOBODY = "http://127.0.0.1:9"
RULES = [{"rule": "Gateway.Errors", "roles": "inference"}, {"rule": "Down", "roles": "inference"}]
HIT = ResolvedTarget(kind="Pod", name="s3-0", namespace="ml-training")


class Alertmanager(ThreadingHTTPServer):
    """Keeps silences as Alertmanager does; ``foreign``: what answers in its place."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.silences: list[dict[str, Any]] = []
        self.foreign: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Alertmanager

    def do_POST(self) -> None:
        self.server.silences.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        made = {"silenceID": f"s{len(self.server.silences)}"}
        status, body = self.server.foreign or (200, json.dumps(made).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def alertmanager() -> Iterator[Alertmanager]:
    server = Alertmanager()
    with answering(server):
        yield server


def on(url: str, *, silence: bool = True, **labels: str) -> Target:
    """Return the embedded platform's target with an Alertmanager."""
    alerts = {"rules": RULES, "receiver": {"listen": "127.0.0.1:9094", "alertmanager": url}, "silence": silence}
    return local_target(alerts=alerts, prometheus={"url": NOBODY, "labels": labels})


def run_on(folder: Path, target: Target, *hit: ResolvedTarget) -> ActiveRun:
    timers = SimpleNamespace(fault_s=20.0, confirm_s=30.0, deadline_s=100.0, heal_s=60.0)
    run = live_run(FakeCluster(), folder, {}, on=target, timers=timers, workloads=(SimpleNamespace(role="inference"),))
    cast("Any", run.plan).targets = hit
    return run


def test_it_matches_the_labels_of_what_is_driven_and_hit_and_no_rule_that_is_judged(tmp_path: Path) -> None:
    found = matchers_of(run_on(tmp_path, on(NOBODY, cluster="eu"), HIT))
    assert [{str(one["name"]): one["value"] for one in matchers[:-1]} for matchers in found] == [
        {"cluster": "eu", "namespace": "ml-serving"},
        {"cluster": "eu", "namespace": "ml-training"},
    ]
    for *equal, judged in found:
        assert all(one["isEqual"] and not one["isRegex"] and one["value"] for one in equal)
        assert (judged["name"], judged["isEqual"], judged["isRegex"]) == ("alertname", False, True)
        covered = [name for name in ("Gateway.Errors", "Down", "GatewayXErrors", "Other") if not re.fullmatch(str(judged["value"]), name)]
        assert covered == ["GatewayXErrors", "Other"]


def test_it_expires_by_itself_and_leaves_nothing_to_undo(tmp_path: Path, alertmanager: Alertmanager) -> None:
    before_ns = now_ns()
    run = run_on(tmp_path, on(alertmanager.url), HIT)
    said = begin_silence(run, pauses_s=5.0)
    assert [line.partition(":")[0] for line in said] == ["silence s1", "silence s2"]
    first = alertmanager.silences[0]
    assert said[0] == f"silence s1: alerts with namespace=ml-serving, but those that are judged, until {first['endsAt']}"
    assert (first["createdBy"], first["comment"]) == ("aftershock", "run run-1 of Aftershock breaks things on purpose")
    lasts_s = (datetime.fromisoformat(first["endsAt"]).timestamp() * 1e9 - before_ns) / 1e9
    assert 214 < lasts_s < 225  # all that may still come, in whole seconds
    assert run.journal.entries() == []


def test_where_none_is_asked_for_none_is_made(tmp_path: Path, alertmanager: Alertmanager) -> None:
    run = run_on(tmp_path, on(alertmanager.url, silence=False), HIT)
    assert (begin_silence(run, 0.0), alertmanager.silences) == ([], [])


def test_one_that_cannot_be_made_keeps_the_fault_from_acting(tmp_path: Path, alertmanager: Alertmanager) -> None:
    with pytest.raises(FaultFailed, match=r"Alertmanager at http://127\.0\.0\.1:9, POST silences: it does not answer"):
        begin_silence(run_on(tmp_path, on(NOBODY)), 0.0)
    for foreign, said in (((403, b"no"), "HTTP 403: no; expected 200; let it in"), ((200, b"<html>"), "that is none of its API")):
        alertmanager.foreign = foreign
        with pytest.raises(FaultFailed, match=said):
            begin_silence(run_on(tmp_path, on(alertmanager.url)), 0.0)
