"""Requests as users send them: what a server does instead of answering, and when a healthy one may begin."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import yaml

from bench.field.cases import Seen, case
from history.errors import NoData
from history.prompts import Prompt
from history.workloads import Load, Mix, Slo
from probes import users
from runner.experiment.steady_state import steady_state
from runner.run.phases.baseline import WARM_S
from safety import active_run
from target.target import Target
from testing.load.api_server import KEY, api_server, key_of
from testing.load.load_runs import finish, scripted_server, start_load, write_load_plan
from testing.platform.certificates import self_signed
from testing.platform.fake_cluster import ROOT, FakeCluster
from testing.platform.fake_run import live_run
from testing.platform.targets import changed
from workloads.load.client import Client
from workloads.load.exchange import Call
from workloads.load.trial.trial import refusals

MIX = (Mix(weight=1, max_tokens=(4, 8)), Mix(weight=1, stream=True, max_tokens=(4, 8)))
CLASS = "realtime-inference"


def load_for(folder: str, url: str, **fields: object) -> Load:
    """Return a load of both kinds of requests to ``url``."""
    prompts = Path(folder) / "prompts.jsonl"
    prompts.write_text('{"prompt": "hello"}\n')
    usual = {"endpoint": "inference", "model": "m", "rate_rps": 1, "mix": MIX, "prompts": str(prompts), "in_flight_cap": 4, "timeout_s": 1}
    return Load.model_validate(usual | {"horizon_s": 1, "seed": 0, "url": url} | fields)


def told(behaviour: str, *expected: str, **fields: object) -> Seen:
    """Let preflight ask a server, and return what it says; right if it holds everything that is expected, or nothing if nothing is."""
    with tempfile.TemporaryDirectory() as folder, api_server() as server:
        said = "; ".join(refusals(load_for(folder, f"{server.url}/{behaviour}", **fields))).replace(server.url, "http://SERVER")
    return Seen(said or "answered", all(part in said for part in expected) if expected else not said)


REFUSED: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "`r307`": ("moved", ("HTTP 307: to https://llm.example.org/v1/completions", "follows no redirect"), {}),
    "`chat_shape`": ("chat_shape", ("of the chat API", "set load.request.api"), {}),
    "`chat_only`: a server that has only the other API": ("chat_only", ("HTTP 404: Not Found", "it does answer api chat"), {}),
    "a server that has only completions, asked for chat": (
        "completions_only",
        ("it does answer api completions",),
        {"request": {"api": "chat"}},
    ),
    "wrong model name": ("wrong_model", ("The model `x` does not exist", "load.model is 'x'"), {"model": "x"}),
    "401": ("locked", ("HTTP 401: Access denied", "name one in load.api_key_env or load.request.auth"), {}),
    "gzip": ("gzip", ("in gzip", "accept-encoding"), {}),
    "HTTP/2 only": ("http2", ("HTTP/2 alone", "HTTP/1.1"), {}),
    "login page with 200": ("login", ("Sign in", "a page and no answer"), {}),
    "never a token": ("silent", ("within 1 s", "is the model loaded"), {}),
}
ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    "a chat server, `api: chat`": ("chat_only", {"request": {"api": "chat"}}),
    "endpoint `…/v1`": ("ok/v1", {}),
    "endpoint `…?api-version=1`": ("ok?api-version=1", {}),
}
for name, (behaviour, expected, fields) in REFUSED.items():
    case("answers", f"{name}, in preflight", "refused in the server's words, with what to change")(
        partial(told, behaviour, *expected, **fields)
    )
for name, (behaviour, fields) in ANSWERED.items():
    case("answers", name, "answered")(partial(told, behaviour, **fields))


@case("answers", "`…/v1?api-version=1` over the wire", "/v1/completions?api-version=1: kept as written")
def _target() -> Seen:
    with tempfile.TemporaryDirectory() as folder, api_server() as server:
        refusals(load_for(folder, f"{server.url}/ok/v1?api-version=1"))
        targets = sorted({one.target for one in server.asked})
    return Seen(", ".join(targets), targets == ["/ok/v1/completions?api-version=1"])


@case("answers", "header `api-key: …` from the environment", "sent, and shown nowhere")
def _header() -> Seen:
    auth = {"request": {"auth": {"header": "api-key", "env": "FIELD_KEY"}}}
    with patch.dict(os.environ, {"FIELD_KEY": KEY}):
        return told("locked", **auth)


@case("answers", "a credential that the server quotes", "hidden in the row")
def _quoted() -> Seen:
    with patch.dict(os.environ, {"FIELD_KEY": "wrong-s3cret"}), tempfile.TemporaryDirectory() as folder, api_server() as server:
        load = load_for(folder, f"{server.url}/locked", request={"auth": {"header": "api-key", "env": "FIELD_KEY"}})
        error = str(Client(load, "run", "w").attempt(Call(0, 0, False, Prompt("p", None), 4), 0)["error"])
    return Seen(error, error.startswith("HTTP 401") and "wrong-s3cret" not in error)


def _over_tls(change: Callable[[str], str], *expected: str, clients: bool = False) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        certificate = self_signed(Path(folder), "server", "127.0.0.1")[1]
        with api_server(certificate, clients=clients) as server:
            shown = {"client_cert": {"cert": str(certificate), "key": str(key_of(certificate))}} if clients and not expected else {}
            said = "; ".join(refusals(load_for(folder, f"{change(server.url)}/ok", ca_file=str(certificate), **shown)))
    return Seen(said or "answered", all(part in said for part in expected) if expected else not said)


@case("answers", "plain HTTP to a server of TLS", "refused: write https://")
def _plain_to_tls() -> Seen:
    return _over_tls(lambda url: url.replace("https:", "http:"), "write https://")


@case("answers", "TLS to a server of plain HTTP", "refused: write http://")
def _tls_to_plain() -> Seen:
    with tempfile.TemporaryDirectory() as folder, api_server() as server:
        said = "; ".join(refusals(load_for(folder, f"{server.url.replace('http:', 'https:')}/ok")))
    return Seen(said, "write http:// in the endpoint" in said)


@case("answers", "a server that wants a client's certificate, none declared", "refused: load.client_cert")
def _without_certificate() -> Seen:
    return _over_tls(str, "load.client_cert", clients=True)


@case("answers", "a server that wants a client's certificate, `client_cert` declared", "answered")
def _with_certificate() -> Seen:
    return _over_tls(str, clients=True)


@contextmanager
def _under_load(slo: Slo, service_ms: float) -> Iterator[None]:
    """Let the real load run against a healthy server that answers after ``service_ms``, as the run that probes ask about."""
    with (
        tempfile.TemporaryDirectory() as folder,
        scripted_server(Path(folder) / "truth.json", [], "--service-ms", str(service_ms)) as server,
    ):
        run_dir = Path(folder) / "run"
        plan = write_load_plan(run_dir, server.url, slo, rate_rps=20.0, horizon_s=60.0, timeout_s=60.0)
        live_run(FakeCluster(), run_dir, {}, requests=SimpleNamespace(slo=slo, load=plan.requests.load, answers=plan.requests.answers))
        load = start_load(run_dir)
        try:
            assert load.stdout is not None  # noqa: S101 - for the type checker: it was opened as a pipe
            load.stdout.readline()
            yield
        finally:
            load.terminate()
            finish(load)
            active_run.activate(None)


def _value(probe: Callable[[float], float]) -> tuple[float, float]:
    """Return the first value of a probe, and how long it took to come (s); not a number after the time that warming up has."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < WARM_S:
        try:
            return probe(10.0), time.monotonic() - began_s
        except NoData:
            time.sleep(0.1)
    return float("nan"), WARM_S


def _begins(latency_s: float) -> Seen:
    with _under_load(Slo(ratio=0.95, latency_ms=latency_s * 1e3), 45):
        good, after_s = _value(users.good_ratio)
    return Seen(f"{good:.0%} good, seen after {after_s:.1f} s of load", good >= 0.95)


for latency_s in (20, 41):
    case("verdicts", f"healthy server of 45 ms, `slo.latency` {latency_s} s", f"begins: seen within {WARM_S:.0f} s")(
        partial(_begins, latency_s)
    )


@case("verdicts", "healthy server of 1.2 s, SLO 20 s", "steady state from the class's SLO: p95 within 0 to 20,000 ms")
def _slow_and_healthy() -> Seen:
    raw = changed(yaml.safe_load((ROOT / "targets/local.yaml").read_text()))
    raw["workloads"][CLASS]["slo"] = {"ratio": "95%", "latency": "20s"}
    target = Target.model_validate(raw)
    probe = next(one for one in steady_state(target, target.workloads[CLASS]).probes if one["name"] == "answers-are-fast")
    low, high = probe["tolerance"]["range"]
    with _under_load(Slo(ratio=0.95, latency_ms=20_000), 1200):
        p95_ms, _ = _value(users.p95_latency_ms)
    return Seen(f"p95 {p95_ms:,.0f} ms, expected {low:,} to {high:,}", low <= p95_ms <= high and p95_ms > 1200)
