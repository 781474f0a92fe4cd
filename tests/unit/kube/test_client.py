"""The one way to the API: only the server that the target file names, every request bounded, every error a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import FaultFailed, TargetRefused
from kube.answers import explained
from kube.client import api_errors, connect, unless
from kube.connection.bounded_client import CONNECT_S, READ_S, BoundedClient
from target.target import Target
from testing.platform.fake_cluster import local_target
from testing.platform.targets import in_region


def target_with(tmp_path: Path, *, context: str = "aftershock-local", server: str) -> Target:
    path = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": server}}
    user: dict[str, Any] = {"name": "u", "user": {}}
    entry = {"name": "aftershock-local", "context": {"cluster": "c", "user": "u"}}
    path.write_text(yaml.safe_dump({"clusters": [cluster], "users": [user], "contexts": [entry], "current-context": "aftershock-local"}))
    return local_target(kubeconfig=str(path), context=context)


def test_another_server_behind_the_same_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match=r"leads to https://prod.example.org, the target file allows https://10.89.0.1:6443 only"):
        connect(target_with(tmp_path, server="https://prod.example.org"))


def test_a_context_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match=r"context 'staging' cannot be used: .*no context 'staging', there is aftershock-local"):
        connect(target_with(tmp_path, server="https://10.89.0.1:6443", context="staging"))


def test_a_kubeconfig_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetRefused, match=r"nothing cannot be read: .*No such file"):
        connect(local_target(kubeconfig=str(tmp_path / "nothing")))


def test_a_server_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    server = "http://127.0.0.1:9"  # discard: nobody listens
    target = in_region(target_with(tmp_path, server=server), server=server)
    with pytest.raises(TargetRefused, match="no answer from the API server"):
        connect(target)


@pytest.mark.parametrize(("asked", "got"), [(None, (CONNECT_S, READ_S)), ((1, 60), (1, 60))])
def test_every_request_has_a_time_limit(monkeypatch: pytest.MonkeyPatch, asked: Any, got: Any) -> None:
    api = BoundedClient(client.Configuration(host="http://127.0.0.1:9"))
    seen: dict[str, Any] = {}
    monkeypatch.setattr(api.rest_client, "request", lambda *_, **limits: seen.update(limits) or SimpleNamespace(status=200))
    api.call_api("GET", "http://127.0.0.1:9/x", _request_timeout=asked)
    assert seen["_request_timeout"] == got


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ApiException(status=401, reason="Unauthorized"), "renew the credentials"),
        (ApiException(status=403, reason="Forbidden"), "grant the permission"),
        (urllib3.exceptions.ReadTimeoutError(None, "/x", "timed out"), "no answer from the API server"),  # type: ignore[arg-type]
    ],
)
def test_an_error_of_the_api_is_a_sentence(error: Exception, said: str) -> None:
    with pytest.raises(FaultFailed, match=said) as raised, api_errors("delete pod a", FaultFailed):
        raise error
    assert str(raised.value).startswith("delete pod a: ")


def test_the_api_server_s_own_words_are_kept() -> None:
    error = ApiException(status=403, reason="Forbidden")
    error.body = '{"message": "pods is forbidden: User me cannot list"}'
    with pytest.raises(FaultFailed, match="pods is forbidden: User me cannot list"), api_errors("list", FaultFailed):
        raise error


QUOTA = 'pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0'
LEVEL = 'pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


@pytest.mark.parametrize(
    ("message", "step"),
    [
        (QUOTA, "raise that quota, or remove what uses it up"),
        (LEVEL, "see the namespace's label pod-security.kubernetes.io/enforce"),
        ('admission webhook "guard.example" denied the request: no ticket', "ask whoever runs that webhook"),
        ("ValidatingAdmissionPolicy 'a' with binding 'b' denied request: no", "ask whoever wrote that policy"),
        ('pods is forbidden: User "me" cannot create resource "pods"', "grant the permission to the account of the target's context"),
    ],
)
def test_whoever_denies_it_is_the_next_step_and_a_permission_only_if_that_is_missing(message: str, step: str) -> None:
    error = ApiException(status=403, reason="Forbidden")
    error.body = json.dumps({"message": message})
    assert explained(error) == f"the API server answered 403 {message}; {step}"


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1)", "its certificate has expired"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate is not yet valid (_ssl.c:1)", "compare the clock"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is not valid for '10.0.0.1'.",
            "its certificate names another host",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate", "not from the CA in the kubeconfig"),
        ("[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert certificate expired", "client certificate of the kubeconfig's user"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "write http:// in server"),
        ("Connection refused", "check that it is up and reachable"),
    ],
)
def test_who_is_at_fault_where_tls_fails(words: str, step: str) -> None:
    assert step in explained(urllib3.exceptions.SSLError(words))


def test_an_answer_in_plain_words_is_quoted_and_a_page_is_somebody_else_s() -> None:
    error = ApiException(status=400, reason="Bad Request")
    error.body = "Client sent an HTTP request to an HTTPS server.\n"
    assert explained(error) == (
        "the API server answered 400 Client sent an HTTP request to an HTTPS server.; "
        "write https:// in server, in the kubeconfig and in the target file"
    )
    page = ApiException(status=403, reason="Forbidden")
    page.body = "<html>log in</html>"
    assert explained(page).startswith("the API server answered 403 Forbidden; something answers in its place: see server")


def test_an_answer_that_opens_no_websocket_is_an_answer() -> None:
    said = b'{"message": "pods \\"a\\" is forbidden: no exec"}'
    error = ApiException(status=0, reason=f"Handshake status 403 Forbidden -+-+- {{'date': 'x'}} -+-+- {said.decode()}")
    assert explained(error).startswith('the API server answered 403 pods "a" is forbidden: no exec; grant the permission')


def test_answers_that_are_as_good_as_success_are_passed_over_and_no_others() -> None:
    with unless(404, 409):
        raise ApiException(status=404)
    with pytest.raises(ApiException, match="403"), unless(404, 409):
        raise ApiException(status=403)
