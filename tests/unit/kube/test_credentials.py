"""What requests are sent with, against an API server on loopback: rotated files, impersonation, patience; when a plugin is due."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from history.errors import NoData
from kube.client import connect
from kube.connection.credentials import AGAIN_S, LEAD_S, Exec
from kube.connection.errors import NoCredentials
from kube.connection.exec_plugin import Status
from kube.connection.kubeconfig import read_entry
from kube.container_exec import processes
from target.secrets.hiding import redact_text
from testing.platform.kube_api import Answer, KubeApi, ask, failure, kube_api, kubeconfig, refused, write_target


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as made:
        yield made


class Runs:
    """A plugin's command that hands over a token of ``lifetime_s`` each time, or fails."""

    shown = "plugin"

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s, self.count, self.fails = lifetime_s, 0, False

    def run(self) -> Status:
        self.count += 1
        if self.fails:
            raise NoCredentials("the session has expired")
        expires = datetime.now(UTC) + timedelta(seconds=self.lifetime_s)
        return Status(token=f"token-number-{self.count}", expirationTimestamp=expires)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0


def kept(lifetime_s: float) -> tuple[Exec, Runs, Clock]:
    runs, clock = Runs(lifetime_s), Clock()
    return Exec(runs, now_s=lambda: clock.now_s), runs, clock  # type: ignore[arg-type]


def test_tokens_that_live_four_minutes_are_renewed_once_when_due() -> None:
    credentials, runs, clock = kept(240)
    for _ in range(71):
        assert credentials.header() == "Bearer token-number-1"
        clock.now_s += 1
    clock.now_s = 1000.0 + 240 - 0.2 * 240 + 1  # a fifth of its life before its end
    assert [credentials.header() for _ in range(9)] == ["Bearer token-number-2"] * 9
    assert runs.count == 2


def test_while_one_thread_renews_the_others_send_what_is_still_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, runs, clock = kept(3600)
    credentials.header()
    clock.now_s += 3600 - LEAD_S
    began, go_on, plain = threading.Event(), threading.Event(), runs.run

    def slow() -> Status:
        began.set()
        go_on.wait()
        return plain()

    monkeypatch.setattr(runs, "run", slow)
    renewing = threading.Thread(target=credentials.header)
    renewing.start()
    began.wait()
    assert credentials.header() == "Bearer token-number-1"
    go_on.set()
    renewing.join()
    assert credentials.header() == "Bearer token-number-2"


def test_a_plugin_that_begins_to_fail_is_not_run_for_every_request() -> None:
    credentials, runs, clock = kept(240)
    credentials.header()
    runs.fails = True
    clock.now_s += 220
    assert credentials.header() == "Bearer token-number-1"  # still valid
    clock.now_s += 100
    for _ in range(5):
        with pytest.raises(NoCredentials, match="the session has expired"):
            credentials.header()
    assert runs.count == 3
    runs.fails = False
    clock.now_s += AGAIN_S
    assert credentials.header() == "Bearer token-number-4"


def test_a_token_file_is_read_again_and_its_last_line_break_is_no_part_of_it(api: KubeApi, tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "token"
    file.parent.mkdir()
    file.write_text("first-token-of-a-file\n")
    platform = connect(write_target(tmp_path, api.url, {"tokenFile": "secrets/token"}))
    assert api.sent("authorization") == ["Bearer first-token-of-a-file"]
    file.write_text("second-token-of-a-file\n")
    ask(platform)
    file.write_text("")  # it is just being written
    ask(platform)
    assert api.sent("authorization") == ["Bearer second-token-of-a-file"]
    assert "second-token-of-a-file" not in redact_text("it was second-token-of-a-file")


def test_a_token_file_without_a_token_is_refused(api: KubeApi, tmp_path: Path) -> None:
    assert "no token in it ([Errno 2]" in refused(tmp_path, api, {"tokenFile": "nothing"})
    (tmp_path / "broken").write_text("two\nlines")
    assert "the token holds a character that no header may have" in refused(tmp_path, api, {"tokenFile": "broken"})


def test_whom_a_kubeconfig_impersonates_is_sent_with_every_request(api: KubeApi, tmp_path: Path) -> None:
    extra = {"as-uid": "7", "as-user-extra": {"Reason/x": ["drill"]}}
    user = {"token": "an-opaque-token", "as": "chaos", "as-groups": ["sre", "ml"]} | extra
    ask(connect(write_target(tmp_path, api.url, user)))
    for asked in api.asked:
        assert (asked.values("Impersonate-User"), asked.values("Impersonate-Group")) == (["chaos"], ["sre", "ml"])
        assert (asked.values("Impersonate-Uid"), asked.values("Impersonate-Extra-reason%2Fx")) == (["7"], ["drill"])


def test_a_websocket_is_opened_as_whom_it_impersonates(api: KubeApi, tmp_path: Path) -> None:
    user = {"token": "an-opaque-token", "as": "chaos", "as-groups": ["sre", "ml"]}
    with pytest.raises(NoData):  # the double speaks no WebSocket
        processes(connect(write_target(tmp_path, api.url, user)), "a", "llm", "c")
    assert api.sent("upgrade") == ["websocket"]
    assert api.sent("impersonate-user") + api.sent("impersonate-group") == ["chaos", "sre", "ml"]
    assert api.sent("authorization") == ["Bearer an-opaque-token"]


@pytest.mark.parametrize("user", [{"as-groups": ["a"]}, {"as": 7}, {"as": "a", "as-groups": "b"}, {"as": "a", "as-user-extra": {"k": "v"}}])
def test_impersonation_that_means_nothing_is_refused(api: KubeApi, tmp_path: Path, user: dict[str, Any]) -> None:
    assert "of the user" in refused(tmp_path, api, user)


def test_user_and_password_are_sent(api: KubeApi, tmp_path: Path) -> None:
    connect(write_target(tmp_path, api.url, {"username": "me", "password": "opaque-password"}))
    assert api.sent("authorization") == ["Basic bWU6b3BhcXVlLXBhc3N3b3Jk"]


def once(answer: Answer) -> Any:
    left = [answer]
    return lambda _asked: left.pop() if left else None


@pytest.mark.parametrize("method", ["read", "write"])
def test_a_request_is_repeated_after_the_time_that_the_api_server_asks_for(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    platform, waited = connect(write_target(tmp_path, api.url)), []
    monkeypatch.setattr("kube.connection.bounded_client.time.sleep", waited.append)
    api.answer = once(failure(429, "too many requests", Retry_After="1"))
    if method == "read":
        ask(platform)
    else:
        platform.core.delete_namespaced_config_map("a", "llm")
    assert (len(api.asked), waited) == (3, [1.0])


@pytest.mark.parametrize("status", [500, 503, 504])
def test_an_api_server_in_trouble_that_asks_for_patience_is_asked_again_and_told_nothing_twice(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    platform = connect(write_target(tmp_path, api.url))
    monkeypatch.setattr("kube.connection.bounded_client.time.sleep", lambda _: None)
    api.answer = once(failure(status, "etcdserver: leader changed", Retry_After="1"))
    ask(platform)
    assert len(api.asked) == 3
    api.answer = once(failure(status, "etcdserver: leader changed", Retry_After="1"))
    with pytest.raises(ApiException, match=str(status)):
        platform.core.delete_namespaced_config_map("a", "llm")
    assert len(api.asked) == 4


@pytest.mark.parametrize("date", ["-1", "tomorrow", "Mon, 30 Nov 2026", "Thu, 01 Jan 99999 00:00:00 GMT"])
def test_a_date_that_a_gateway_wrote_in_its_own_way_says_nothing_of_the_clock(api: KubeApi, tmp_path: Path, date: str) -> None:
    api.date = date
    assert connect(write_target(tmp_path, api.url)).clock_offset_s == 0.0


@pytest.mark.parametrize("path", ["eviction", "proxy"])
def test_what_is_said_of_a_pod_is_not_patience_of_the_api_server(api: KubeApi, tmp_path: Path, path: str) -> None:
    platform = connect(write_target(tmp_path, api.url))
    api.answer = once(failure(429, "Cannot evict pod", Retry_After="1"))
    answer = platform.api.call_api("GET", f"{api.url}/api/v1/namespaces/a/pods/b/{path}")
    assert (answer.status, len(api.asked)) == (429, 2)


def test_an_api_server_that_asks_for_more_patience_than_there_is_is_quoted(api: KubeApi, tmp_path: Path) -> None:
    api.answer = lambda _: failure(429, "too many requests", Retry_After="3600")
    assert "answered 429 too many requests" in refused(tmp_path, api, None)
    assert len(api.asked) == 1


@pytest.mark.parametrize("body", [b"<html>log in</html>", b'{"message": "rate limit"}'])
def test_an_answer_that_is_none_of_kubernetes_is_an_error_of_the_api(api: KubeApi, tmp_path: Path, body: bytes) -> None:
    api.answer = lambda _: Answer(200, body)
    said = refused(tmp_path, api, None)
    assert "no answer from the API server (200 with what is no answer of Kubernetes" in said
    assert "; something answers in its place: see server" in said


@pytest.mark.parametrize("body", [b'{"kind":"PodList","metadata":{},"items":null}', b'{"kind": "PodList", "items": null}\n'])
def test_a_list_of_nothing_may_be_written_as_null(api: KubeApi, tmp_path: Path, body: bytes) -> None:
    platform = connect(write_target(tmp_path, api.url))
    api.answer = lambda _: Answer(200, body)
    assert platform.pods_in("llm") == []


def test_of_a_list_of_kubeconfigs_the_first_counts_and_paths_are_those_of_each_file(tmp_path: Path) -> None:
    for name, token in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        user = {"tokenFile": f"{token}.txt", "client-key": "/abs"}
        (tmp_path / name / "config").write_text(
            yaml.safe_dump(
                kubeconfig("https://x", user, name)
                | {"users": [{"name": f"of-{name}", "user": user}, {"name": "both", "user": {"token": token}}]}
            )
        )
    found = {"KUBECONFIG": os.pathsep.join(str(tmp_path / name / "config") for name in ("a", "gone", "b"))}
    entry = read_entry(None, "b", found)
    assert entry.user == {"tokenFile": str(tmp_path / "b" / "two.txt"), "client-key": "/abs"}
