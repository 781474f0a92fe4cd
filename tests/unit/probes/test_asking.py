"""How Prometheus is asked, and what its answers mean: any kind of value, foreign words, and who is at fault where there is no answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from history.errors import NoData
from probes.prometheus.answer import Unanswered
from probes.prometheus.values import largest, query
from target.prometheus import Prometheus
from testing.platform.fake_cluster import local_target
from testing.platform.prometheus_server import PrometheusServer, prometheus_server, region_of, scalar, vector

NOBODY = {"url": "http://127.0.0.1:9", "headers": {"X-Scope-OrgID": {"env": "TENANT"}}}


@pytest.fixture
def server() -> Iterator[PrometheusServer]:
    with prometheus_server() as made:
        made.answers["x"] = vector((3.0, {}))
        yield made


def asked(server: PrometheusServer, promql: str = "x", **declared: Any) -> float | None:
    return query(region_of(server, **declared), promql)


@pytest.mark.parametrize("path", ["", "/", "/base", "/base/", "/base/api/v1", "/select/0/prometheus/"])
def test_a_path_before_the_api_and_a_trailing_slash_are_kept_and_taken(server: PrometheusServer, path: str) -> None:
    assert asked(server, url=server.url + path) == 3
    assert server.paths == [f"{path.removesuffix('/').removesuffix('/api/v1')}/api/v1/query"]


def test_a_token_and_headers_are_sent(server: PrometheusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_TOKEN", "planted-token")
    monkeypatch.setenv("TENANT", "blue")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))  # what it says of this host must not take the token's place
    server.wanted = {"Authorization": "Bearer planted-token", "X-Scope-OrgID": "blue", "x-team": "ml"}
    headers = {"X-Scope-OrgID": {"env": "TENANT"}, "x-team": "ml"}
    assert asked(server, auth={"bearer_env": "PROM_TOKEN"}, headers=headers) == 3
    with pytest.raises(Unanswered, match=r"answers HTTP 401: no org id: it does not let the suite in; see its auth and headers .*OrgID"):
        asked(server, auth={"bearer_env": "PROM_TOKEN"})


def test_a_token_that_was_rotated_is_read_again(server: PrometheusServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        server.wanted = {"Authorization": f"Bearer {token}"}
        assert asked(server, auth={"token_file": str(file)}) == 3
    file.unlink()
    with pytest.raises(Unanswered, match=r"was not asked: a file that .* needs is not read; see ca_file and auth .FileNotFoundError"):
        asked(server, auth={"token_file": str(file)})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (vector((7.0, {"a": "b"})), 7.0),
        (scalar(0.5), 0.5),
        (vector(), None),
        ({"resultType": "vector", "result": None}, None),
        (vector((float("nan"), {})), None),
        (scalar(float("nan")), None),
        ({"resultType": "vector", "result": [{"metric": {}, "value": [1, "+Inf"]}]}, None),
    ],
    ids=["a vector", "a scalar", "no series", "null", "NaN", "a scalar NaN", "infinite"],
)
def test_a_value_of_any_kind_is_taken(server: PrometheusServer, data: dict[str, Any], value: float | None) -> None:
    server.answers["x"] = data
    assert asked(server) == value


def test_where_one_value_is_meant_several_are_refused_unless_they_are_one_and_the_same(server: PrometheusServer) -> None:
    server.answers["x"] = vector((6.0, {"pod": "a", "job": "pods"}), (6.0, {"pod": "a", "job": "services"}))
    assert asked(server) == 6
    server.answers["x"] = vector((6.0, {"pod": "a"}), (9.0, {"pod": "b"}))
    with pytest.raises(NoData, match=r'x has 2 values, one is meant .\{pod="a"\}, \{pod="b"\}, ….; write sum'):
        asked(server)
    found = largest(region_of(server), "x")
    assert found
    assert (found.value, found.labels) == (9, {"pod": "b"})


def test_the_largest_may_be_infinite_and_is_never_no_number(server: PrometheusServer) -> None:
    server.answers["x"] = vector((float("nan"), {"code": "a"}), (5.0, {"code": "b"}), (float("inf"), {"code": "c"}))
    found = largest(region_of(server), "x")
    assert found
    assert found.labels == {"code": "c"}
    server.answers["x"] = vector((float("nan"), {}))
    assert largest(region_of(server), "x") is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"resultType": "string", "result": [1, "text"]}, "x is a text; an expression with a number is needed"),
        ({"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "2"]]}]}, "x is a range of values; write a function"),
        ({"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "3"}]}]}, "x is a native histogram"),
    ],
)
def test_what_is_no_number_is_refused_by_name(server: PrometheusServer, data: dict[str, Any], said: str) -> None:
    server.answers["x"] = data
    with pytest.raises(NoData, match=said):
        asked(server)


def test_an_answer_of_a_part_of_the_data_is_none(server: PrometheusServer) -> None:
    server.warnings = ["PromQL info: metric might not be a counter"]
    assert asked(server) == 3
    server.warnings.append("store eu-1 is unavailable")
    with pytest.raises(NoData, match=r"answers x by a part of its data \(store eu-1 is unavailable\)") as failed:
        asked(server)
    assert not isinstance(failed.value, Unanswered)


def test_victoriametrics_says_by_a_flag_of_its_own_that_a_part_is_missing(server: PrometheusServer) -> None:
    body = {"status": "success", "data": vector((3.0, {}))}
    server.say(body | {"isPartial": False, "warnings": None})
    assert asked(server) == 3
    server.say(body | {"isPartial": True})
    with pytest.raises(NoData, match=r"answers x by a part of its data \(isPartial\)"):
        asked(server)


FOREIGN = "answers HTTP 200: .*: not as Prometheus does; something answers in its place; see url and auth"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, '{"message": "rate limit"}', FOREIGN),
        (200, "[]", FOREIGN),
        (200, "<html>log in</html>", "answers HTTP 200: a page: not as Prometheus does"),
        (200, '{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": "1"}]}}', FOREIGN),
        (200, b"\xff\xfe", FOREIGN),
        (429, '{"message": "slow down"}', "HTTP 429: .*slow down.*: it, or a gateway before it, limits how often it may be asked"),
        (403, "RBAC: access denied", "HTTP 403: RBAC: access denied: it does not let the suite in"),
        (404, "404 page not found", "HTTP 404: .*: its API is not at this path; write url with its path's prefix"),
        (503, "Service Unavailable", "HTTP 503: Service Unavailable: it, or a gateway before it, is in trouble"),
        (503, '{"status": "error", "errorType": "timeout", "error": "query timed out"}', "HTTP 503: query timed out; see its own logs"),
    ],
)
def test_who_is_at_fault_is_named(server: PrometheusServer, status: int, body: str | bytes, said: str) -> None:
    server.say(body, status)
    with pytest.raises(Unanswered, match=f"Prometheus at {server.url} .*{said}"):
        asked(server)


@pytest.mark.parametrize(("status", "kind"), [(200, "bad_data"), (400, "bad_data"), (422, "execution"), (422, "422"), (400, "400")])
def test_a_wrong_question_is_not_prometheus_fault(server: PrometheusServer, status: int, kind: str) -> None:
    server.say({"status": "error", "errorType": kind, "error": "1:4: parse error: unclosed left paren"}, status)
    with pytest.raises(NoData, match=r"does not take x \(1:4: parse error: .*\); correct the query") as failed:
        asked(server)
    assert not isinstance(failed.value, Unanswered)


def test_a_redirect_is_named_and_not_followed(server: PrometheusServer) -> None:
    server.say("", 302, Location=f"{server.url}/login")
    with pytest.raises(Unanswered, match=r"leads elsewhere .HTTP 302, Location http.*/login., which is not followed; write the url"):
        asked(server)
    assert len(server.paths) == 1


def test_a_prometheus_that_is_away_a_name_that_is_wrong_and_tls_to_plain_are_told_apart(server: PrometheusServer) -> None:
    with pytest.raises(Unanswered, match="does not answer; is it up, and reachable from this machine"):
        asked(server, url="http://127.0.0.1:9")
    with pytest.raises(Unanswered, match="speaks no TLS there; write url with http://"):
        asked(server, url=server.url.replace("http", "https"))


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, server: PrometheusServer) -> None:
    monkeypatch.setattr("probes.prometheus.client.TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unanswered, match="does not answer in time"):
        asked(server, url=f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_proxy_of_the_environment_is_blamed_itself(monkeypatch: pytest.MonkeyPatch, server: PrometheusServer) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(Unanswered, match="is not reached through the proxy that HTTP_PROXY or HTTPS_PROXY names"):
        asked(server, url="http://prometheus.example:9090")


@pytest.mark.parametrize("value", ["planted-tenant\n", "planted\ntenant"])
def test_a_value_with_a_line_break_is_not_shown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TENANT", value)
    with pytest.raises(NoData, match=r"Prometheus at http://127\.0\.0\.1:9") as failed:
        query(local_target(prometheus=NOBODY).only_region(), "up")
    assert "planted" not in str(failed.value)


def test_the_line_break_at_the_end_of_a_file_is_no_part_of_a_secret() -> None:
    declared = Prometheus.model_validate(NOBODY)
    assert declared.secrets({"TENANT": "planted-tenant\n"}) == ["planted-tenant"]
    assert not list(declared.lacking({"TENANT": "planted-tenant\n"}))
    [(keys, said)] = declared.lacking({"TENANT": "planted\ntenant"})
    assert (keys, "planted" in said) == (("headers", "X-Scope-OrgID", "env"), False)
    [(_, unset)] = declared.lacking({"TENANT": " \n"})
    assert "is not set" in unset
