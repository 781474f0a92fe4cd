"""Silences of a run: which alerts they match, that they are journalled first, and what is said where Alertmanager does not take them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from history.clock import now_ns
from history.errors import FaultFailed, UndoFailed
from history.plan import ResolvedTarget
from history.reader import read_table
from history.schema import EventKind
from safety.active_run import ActiveRun
from safety.silence import begin_silence, matchers_of
from safety.undo import undo_all, undo_entry
from safety.undo_journal import Undo, UndoKind
from target.target import Target
from testing.answering import answering
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run

NOBODY = "http://127.0.0.1:9"
RULES = [{"rule": "Gateway.Errors", "roles": "inference"}, {"rule": "Down", "roles": "inference"}]
HIT = ResolvedTarget(kind="Pod", name="s3-0", namespace="ml-training")
OF_OTHERS = {"id": "theirs", "createdBy": "alice", "comment": "run run-1", "status": {"state": "active"}}


class Alertmanager(ThreadingHTTPServer):
    """Keeps silences as Alertmanager does; ``foreign``: what answers in its place."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.silences: list[dict[str, Any]] = [OF_OTHERS]
        self.foreign: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def active(self) -> list[str]:
        return [one["id"] for one in self.silences if one["status"]["state"] == "active"]


class _Handler(BaseHTTPRequestHandler):
    server: Alertmanager

    def do_GET(self) -> None:
        self._answer(self.server.silences)

    def do_POST(self) -> None:
        made = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        made |= {"id": f"s{len(self.server.silences)}", "status": {"state": "active"}}
        self.server.silences.append(made)
        self._answer({"silenceID": made["id"]})

    def do_DELETE(self) -> None:
        (found,) = (one for one in self.server.silences if one["id"] == self.path.rpartition("/")[2])
        found["status"] = {"state": "expired"}
        self._answer(None)

    def _answer(self, said: object) -> None:
        status, body = self.server.foreign or (200, b"" if said is None else json.dumps(said).encode())
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
    timers = SimpleNamespace(confirm_s=30.0, deadline_s=100.0)
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


def test_it_is_journalled_first_and_ends_with_the_undo_of_the_run(tmp_path: Path, alertmanager: Alertmanager) -> None:
    before_ns = now_ns()
    run = run_on(tmp_path, on(alertmanager.url), HIT)
    said = begin_silence(run)
    (entry,) = run.journal.entries()
    assert (entry.kind, entry.object) == (UndoKind.END_SILENCE, "run-1")
    assert 130e9 <= entry.ends_by_ns - before_ns < 140e9
    assert alertmanager.active() == ["theirs", "s1", "s2"]
    assert said[0].startswith("silence s1: alerts with namespace=ml-serving, but those that are judged, until ")
    assert alertmanager.silences[1]["endsAt"] > alertmanager.silences[1]["startsAt"]
    assert undo_all(run) == ["silences of run run-1: 2 ended"]
    assert alertmanager.active() == ["theirs"]
    assert undo_entry(run.platform, entry) == "silences of run run-1: 0 ended"  # twice is as good as once
    run.log.close()
    assert EventKind.FAULT_END.value not in read_table(tmp_path, "events")["kind"].to_list()  # it is no fault


def test_where_none_is_asked_for_none_is_made(tmp_path: Path, alertmanager: Alertmanager) -> None:
    run = run_on(tmp_path, on(alertmanager.url, silence=False), HIT)
    assert (begin_silence(run), run.journal.entries(), alertmanager.active()) == ([], [], ["theirs"])


def test_one_that_cannot_be_made_keeps_the_fault_from_acting(tmp_path: Path, alertmanager: Alertmanager) -> None:
    with pytest.raises(FaultFailed, match=r"Alertmanager at http://127\.0\.0\.1:9, POST silences: it does not answer"):
        begin_silence(run_on(tmp_path, on(NOBODY)))
    for foreign, said in (((403, b"no"), "HTTP 403: no; expected 200; let it in"), ((200, b"<html>"), "that is none of its API")):
        alertmanager.foreign = foreign
        with pytest.raises(FaultFailed, match=said):
            begin_silence(run_on(tmp_path, on(alertmanager.url)))


def test_one_that_cannot_be_ended_is_left_to_expire_and_then_needs_no_end(alertmanager: Alertmanager) -> None:
    alertmanager.foreign = 200, b'[{"id": 1}]'
    entry = Undo(kind=UndoKind.END_SILENCE, activity="silence", object="run-1", ends_by_ns=2**62, self_ends="it expires at noon")
    for url, said in ((NOBODY, "GET silences: it does not answer"), (alertmanager.url, "that is none of its API")):
        with pytest.raises(UndoFailed, match=said):
            undo_entry(FakeCluster().platform(on(url)), entry)
    over = entry.model_copy(update={"ends_by_ns": 1})
    assert undo_entry(FakeCluster().platform(on(NOBODY)), over) == "silences of run run-1: it expires at noon"
    assert undo_entry(FakeCluster().platform(), entry) == "silences of run run-1: it expires at noon"  # no Alertmanager is known
