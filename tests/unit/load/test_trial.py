"""Preflight's real requests: what a server does instead of answering is refused in its own words, and stands in the load's rows as well."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from history.errors import ConfigError
from history.workloads import Load, Mix
from testing.load.api_server import KEY, api_server, key_of
from testing.platform.certificates import self_signed
from workloads.load.client import Client
from workloads.load.trial import trial
from workloads.load.trial.trial import calls_of, refusals

ROOT = Path(__file__).parents[3]
MIX = (Mix(weight=1, max_tokens=(1, 4)), Mix(weight=1, stream=True, max_tokens=(1, 4)))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "AGAIN_S", 0.0)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Load]:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "short"}\n{"prompt": "the longest of them"}\n')

    def make(url: str, **fields: Any) -> Load:
        usual: dict[str, Any] = {"endpoint": "inference", "model": "m", "rate_rps": 1, "mix": MIX, "prompts": str(prompts)}
        return Load.model_validate(usual | {"in_flight_cap": 4, "timeout_s": 0.4, "horizon_s": 1, "seed": 0, "url": url} | fields)

    return make


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), "server", "127.0.0.1")[1]


def test_a_server_that_answers_is_asked_once_for_each_kind_and_for_the_most(load: Callable[..., Load]) -> None:
    with api_server() as server:
        assert refusals(load(f"{server.url}/ok", mix=(*MIX, MIX[0]))) == []
        asked = [(one.body["stream"], one.body["prompt"], one.body["max_tokens"]) for one in server.asked]
    assert sorted(asked) == [(False, "the longest of them", 4), (True, "the longest of them", 4)]


BAD: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "only chat": ("chat_only", {}, "HTTP 404: Not Found", "it does answer api chat: set load.request.api to it"),
    "only completions": ("completions_only", {"request": {"api": "chat"}}, "HTTP 404: Not Found", "it does answer api completions"),
    "chat's shape": ("chat_shape", {}, "of the chat API, a completion was asked for", "load.request.api"),
    "another path": ("elsewhere", {}, "HTTP 404: Not Found", "load.request.api is completions: is that what the server offers"),
    "wrong model": ("wrong_model", {"model": "x"}, "HTTP 404: The model `x` does not exist.", "load.model is 'x': name one"),
    "no key": ("locked", {}, "HTTP 401: Access denied", "no credential was sent: name one in load.api_key_env or load.request.auth"),
    "key in another header": (
        "locked",
        {"api_key_env": "KEY_OF_LOAD"},
        "HTTP 401: Access denied",
        "the credential of KEY_OF_LOAD was sent",
    ),
    "redirect": ("moved", {}, "HTTP 307: to https://llm.example.org/v1/completions", "write the address that it names as the endpoint"),
    "gzip": ("gzip", {}, "Encoded: the answer is in gzip", "accept-encoding: identity"),
    "HTTP/2 only": ("http2", {}, "NotHttp: the server speaks HTTP/2 alone", "let the server offer it as well"),
    "login page": ("login", {}, "<title>Sign in</title>", "a page and no answer"),
    "never a token": ("silent", {}, "within 0.4 s", "is the model loaded, and is load.timeout (0.4 s) long enough for 4 tokens?"),
    "an empty answer": ("empty", {}, "EmptyAnswer: no token of 4", "is the model loaded"),
    "overloaded": ("overloaded", {}, "HTTP 429: Rate limit reached", "the server itself says that it cannot serve now"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_stands_against_the_load_is_said_in_the_server_s_words_with_what_to_change(
    load: Callable[..., Load], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setenv("KEY_OF_LOAD", KEY)
    behaviour, fields, error, change = BAD[case]
    with api_server() as server:
        made = load(f"{server.url}/{behaviour}", **fields)
        found = refusals(made)
        rows = [Client(made, "run", "w").attempt(call, 0) for call in calls_of(made, trial.read_prompts(Path(made.prompts)))]
    assert found
    for sentence in found:
        assert sentence.startswith(f"endpoint inference: POST {server.url}/{behaviour}/v1/")
        assert error in sentence
        assert change in sentence
        assert KEY not in sentence
    assert all(row["outcome"] != "ok" and error in str(row["error"]) for row in rows)


def test_several_problems_are_told_at_once(load: Callable[..., Load]) -> None:
    with api_server() as server:
        plain, streamed = refusals(load(f"{server.url}/login"))
    assert "(plain)" in plain
    assert "(streamed)" in streamed


def test_what_may_pass_is_asked_again(load: Callable[..., Load], monkeypatch: pytest.MonkeyPatch) -> None:
    with api_server() as server:
        assert refusals(load(f"{server.url}/overloaded", mix=MIX[:1]))
        assert len(server.asked) == trial.TRIES
        server.asked.clear()
        assert refusals(load(f"{server.url}/moved", mix=MIX[:1]))
        assert len(server.asked) == 1


def test_tls_to_plain_and_plain_to_tls(load: Callable[..., Load], certificate: Path) -> None:
    with api_server() as server:
        (sentence,) = refusals(load(server.url.replace("http:", "https:") + "/ok"))
    assert "the server speaks plain HTTP there: write http:// in the endpoint" in sentence
    with api_server(certificate) as server:
        (sentence,) = refusals(load(server.url.replace("https:", "http:") + "/ok"))
    assert "write https:// in the endpoint" in sentence


def test_an_unknown_authority_is_named(load: Callable[..., Load], certificate: Path) -> None:
    with api_server(certificate) as server:
        (sentence,) = refusals(load(f"{server.url}/ok"))
        assert refusals(load(f"{server.url}/ok", ca_file=str(certificate))) == []
    assert "SSLCertVerificationError" in sentence
    assert "name the PEM file of the server's authority in load.ca_file" in sentence


def test_a_client_s_certificate_is_shown_where_it_is_asked_for(load: Callable[..., Load], certificate: Path) -> None:
    shown = {"client_cert": {"cert": str(certificate), "key": str(key_of(certificate))}}
    with api_server(certificate, clients=True) as server:
        (sentence,) = refusals(load(f"{server.url}/ok", ca_file=str(certificate)))
        assert refusals(load(f"{server.url}/ok", ca_file=str(certificate), **shown)) == []
    assert "load.client_cert" in sentence


def test_a_certificate_that_cannot_be_shown_is_refused(load: Callable[..., Load], certificate: Path, tmp_path: Path) -> None:
    key = key_of(certificate)
    other, _ = self_signed(tmp_path, "other", "127.0.0.1")
    locked = tmp_path / "locked.pem"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:1234", "-out", locked], check=True, capture_output=True)
    for cert, its_key, said in (
        ("/nowhere.pem", key, r"load\.client_cert\.cert /nowhere\.pem is not a file"),
        (certificate, other, "cannot be used"),
        (certificate, locked, "is encrypted"),
    ):
        with pytest.raises(ConfigError, match=said):
            refusals(load("https://127.0.0.1:9", client_cert={"cert": str(cert), "key": str(its_key)}))
    with pytest.raises(ConfigError, match="write https:// or leave it out"):
        refusals(load("http://127.0.0.1:9", client_cert={"cert": str(certificate), "key": str(key)}))


def test_nobody_listens(load: Callable[..., Load]) -> None:
    with socket.socket() as bound:  # never listening
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        (sentence,) = refusals(load(f"http://127.0.0.1:{port}"))
    assert "ConnectionRefusedError" in sentence
    assert f"is 127.0.0.1:{port} the address that users ask?" in sentence


def test_the_program_reads_a_load_and_prints_sentences(load: Callable[..., Load]) -> None:
    asked = load("http://127.0.0.1:9", prompts="/nowhere.jsonl").model_dump_json()
    done = subprocess.run([sys.executable, "-m", "workloads.load.trial"], input=asked, capture_output=True, text=True, cwd=ROOT, check=True)
    (sentence,) = json.loads(done.stdout)
    assert "prompts file /nowhere.jsonl cannot be read" in sentence
