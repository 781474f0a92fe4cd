"""Secrets planted wherever a run could meet them are in nothing that it writes."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError
from history.schema import AlertState, EventKind
from history.writer import AlertSaid
from kube.connection.secrets import of_kubeconfig
from runner.event_log import RunLog
from runner.messages import Pipe
from runner.redact import Redacted, RedactedStream, of_environment, of_target, redact_object
from runner.run.context import Context
from runner.run.lifecycle import run_part
from target.secrets import known as known_secrets
from target.secrets.hiding import HIDDEN, redact_text
from target.secrets.known import remember
from target.target import load_target
from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import plan_of

KEY = "-----BEGIN EC PRIVATE KEY-----planted-key"
PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "planted-s3-secret",
    "REDIS_PASSWORD": "planted-redis-password",
    "SERVING_API_KEY": "planted-api-key",
    "token": "planted-kubeconfig-token",
    "client-key-data": base64.b64encode(KEY.encode()).decode(),
}
SAID = [
    *(f"it said {value} and more" for value in PLANTED.values()),
    KEY,
    "redis://default:planted-in-a-url@redis:6379/0 refused",
    "s3: AWS_SECRET_ACCESS_KEY=planted-in-a-line",
    "x-api-key: planted-in-a-header",
    "Authorization: Bearer planted-bearer",
    "eyJhbGciOiJSUzI1NiJ9.eyJwbGFudGVkIjoiYSJ9.c2ln",
]


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    user = {key: PLANTED[key] for key in ("token", "client-key-data")}
    kubeconfig.write_text(yaml.safe_dump({"users": [{"name": "me", "user": user}], "clusters": [{"cluster": {"server": "https://x"}}]}))
    monkeypatch.setattr(known_secrets, "_known", set())
    remember(of_environment(PLANTED | {"HOME": "/root/longer-than-eight"}))
    remember(of_kubeconfig(str(kubeconfig)))


def clean(text: str) -> None:
    assert "planted" not in text
    assert PLANTED["client-key-data"] not in text
    assert "eyJwbGFudGVkIjoiYSJ9" not in text


def everything(folder: Path) -> str:
    return "".join(file.read_text() for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "kubeconfig")


def test_only_credentials_of_a_kubeconfig_and_of_the_environment_are_known() -> None:
    assert redact_text("https://x /root/longer-than-eight me") == "https://x /root/longer-than-eight me"
    assert of_kubeconfig("/nowhere/at-all") == []


@pytest.mark.parametrize("said", SAID)
def test_events_hold_none(tmp_path: Path, said: str) -> None:
    (tmp_path / "run").mkdir()
    log = RunLog(tmp_path / "run")
    log.event(EventKind.KUBE_EVENT, said, message=said, nested={"list": [said]})
    log.event(EventKind.STOPPED, "x", reason=said)
    log.close()
    clean(everything(tmp_path / "run"))


@pytest.mark.parametrize("said", SAID)
def test_messages_and_log_lines_hold_none(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    Pipe(writer)("note", text=said, lines=[said], verdict={"sentence": said})
    os.close(writer)
    with os.fdopen(reader) as pipe:
        clean(pipe.read())
    handler = logging.StreamHandler()
    handler.setFormatter(Redacted(logging.BASIC_FORMAT))
    try:
        raise RuntimeError(said)
    except RuntimeError:
        handler.emit(logging.getLogger("x").makeRecord("x", 40, "f", 1, "failed: %s", (said,), None))
    clean(capsys.readouterr().err)


@pytest.mark.parametrize("said", SAID)
def test_the_journal_and_a_traceback_hold_none(context: Context, tmp_path: Path, said: str) -> None:
    class Odd:
        def __str__(self) -> str:
            return said

    def fails() -> None:
        raise RuntimeError(said)

    outcome: dict[str, Any] = {"activity": {"name": "act"}, "output": {"said": said, "odd": Odd()}, "exception": [said]}
    context.toolkit_journal.run.append(outcome)
    run_part(context, fails)
    context.toolkit_journal.write(context.run.run_dir, plan_of(context.experiment), None, interrupted=True)
    context.log.close()
    written = everything(context.run.run_dir)
    assert "act" in json.loads((context.run.run_dir / "journal.json").read_text())["run"][0]["activity"]["name"]
    assert "traceback.txt" in {file.name for file in context.run.run_dir.rglob("*")}
    clean(written)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"endpoints": {"inference": "https://me:planted-pw@serving/"}},
            "inference: a URL must not hold credentials",
        ),
        (
            {"headers": {"Authorization": "Bearer planted-token"}},
            "headers.Authorization: a credential must not stand in a file; use api_key_env",
        ),
        ({"headers": {"x-api-key": "planted"}}, "headers.x-api-key: a credential must not stand in a file"),
    ],
)
def test_a_target_file_that_holds_a_credential_is_refused_without_showing_it(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    raw = yaml.safe_load((ROOT / "targets/local.yaml").read_text())
    if "headers" in change:
        raw["workloads"]["realtime-inference"]["load"] |= change
    else:
        raw["regions"]["default"] |= change
    file = tmp_path / "target.yaml"
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError) as refused:
        load_target(file)
    assert said in str(refused.value)
    clean(str(refused.value))


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "AWS_SECRET_ACCESS_KEY: hunter2",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2",
        "connecting to redis://user:hunter2@cache:6379/0",
        "token hunter2 was given",
    ],
)
def test_what_looks_like_a_credential_is_hidden_in_logs(text: str) -> None:
    assert "hunter2" not in redact_text(text, secrets=("token hunter2",))


def test_tokens_are_known_by_their_shape() -> None:
    assert redact_text("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln and AKIAABCDEFGHIJKLMNOP") == f"{HIDDEN} and {HIDDEN}"


def test_ordinary_words_stay() -> None:
    for text in ("max_tokens=32 latency=0.2", "GET /health 200", "the password is wrong", "vllm:num_requests_waiting 3"):
        assert redact_text(text) == text


def test_descriptions_lose_values_under_names_that_sound_secret() -> None:
    env = [{"name": "S3_SECRET_KEY", "value": "hunter2"}, {"name": "MODE", "value": "fast"}, {"name": "API_KEY", "valueFrom": {"x": 1}}]
    hidden = redact_object({"spec": {"env": env, "password": "hunter2"}})
    assert "hunter2" not in json.dumps(hidden)
    assert hidden["spec"]["env"][1]["value"] == "fast"


# each kind of credential, from where a target file leads to it, into everything that a run writes

PLAIN = "planted-{}-0123456789"


def of(kind: str) -> str:
    return PLAIN.format(kind)


def pem(kind: str) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{of(kind)}\n-----END PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


USERS: dict[str, dict[str, Any]] = {
    "token": {"token": of("token")},
    "token-file": {"tokenFile": "token-file"},
    "password": {"username": "me", "password": of("password")},
    "client-key-data": {"client-key-data": encoded(pem("client-key-data"))},
    "client-key": {"client-key": "client-key"},
    "exec-variable": {"exec": {"command": "x", "env": [{"name": "AWS_SECRET_ACCESS_KEY", "value": of("exec-variable")}]}},
    "oidc": {"auth-provider": {"name": "oidc", "config": {"refresh-token": of("oidc"), "client-secret": of("oidc-client")}}},
}
ENVIRONMENT = {
    "LOAD": f"Bearer {of('load-bearer')}",
    "PROM": of("prometheus-bearer"),
    "TENANT": of("prometheus-header"),
    "AWS_SECRET_ACCESS_KEY": of("s3"),
    "HTTPS_PROXY": f"http://me:{of('proxy')}@proxy:3128",
    "HOME": "/root/longer-than-eight",
}
FORMS = [
    *(of(kind) for kind in (*USERS, "oidc-client", "proxy-url", "load-key", "prometheus-key")),
    *(of(kind) for kind in ("load-bearer", "prometheus-bearer", "prometheus-header", "s3", "proxy")),
    encoded(f"me:{of('password')}"),
    encoded(pem("client-key-data")),
    encoded(f"me:{of('proxy')}"),
    pem("client-key"),
]


@pytest.fixture
def all_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a target file whose every key leads to a credential, and read it as a run does."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in ("client-key", "load-key", "prometheus-key"):
        (folder / name).write_text(pem(name))
    (folder / "cert").write_text("a certificate is no secret")
    (folder / "token-file").write_text(f"{of('token-file')}\n")
    first = {"users": [{"name": name, "user": user} for name, user in USERS.items()]}
    second = {"clusters": [{"name": "c", "cluster": {"server": "https://x", "proxy-url": f"http://me:{of('proxy-url')}@proxy:1"}}]}
    for name, document in (("first", first), ("second", second)):
        (folder / name).write_text(yaml.safe_dump(document))
    raw = yaml.safe_load((ROOT / "targets/local.yaml").read_text())
    pair = {"cert": str(folder / "cert")}
    region, load = raw["regions"]["default"], raw["workloads"]["realtime-inference"]["load"]
    region.pop("kubeconfig", None)
    region["prometheus"] = {"url": "https://prom", "auth": {"client_cert": pair | {"key": str(folder / "prometheus-key")}}}
    region["prometheus"]["headers"] = {"X-Tenant": {"env": "TENANT"}, "X-Other": {"env": "PROM"}}
    load |= {"client_cert": pair | {"key": str(folder / "load-key")}, "request": {"auth": {"header": "api-key", "env": "LOAD"}}}
    file = folder / "target.yaml"
    file.write_text(yaml.safe_dump(raw))
    environment = ENVIRONMENT | {"KUBECONFIG": f"{folder / 'first'}:{folder / 'second'}"}
    monkeypatch.setattr(known_secrets, "_known", set())
    remember([*of_environment(environment), *of_target(load_target(file, environment), environment)])


@pytest.mark.usefixtures("all_known")
@pytest.mark.parametrize("secret", FORMS)
def test_a_credential_of_any_kind_is_in_nothing_that_a_run_leaves(context: Context, secret: str, tmp_path: Path) -> None:
    def fails() -> None:
        raise RuntimeError(f"it said {secret} and more")

    context.log.event(EventKind.KUBE_EVENT, "x", message=f"it said {secret} and more", nested={"list": [secret]})
    context.toolkit_journal.run.append({"activity": {"name": "act"}, "output": {"said": secret}, "exception": [secret]})
    run_part(context, fails)
    context.toolkit_journal.write(context.run.run_dir, plan_of(context.experiment), None, interrupted=True)
    context.log.close()
    with (context.run.run_dir / "child.log").open("w") as log:
        print("Traceback: ValueError: Invalid header value", secret.encode(), secret, file=RedactedStream(log))
    written = everything(context.run.run_dir)
    assert written.count(HIDDEN) >= 4
    for text in (secret, *(line for line in secret.splitlines() if not line.startswith("-----"))):
        assert text not in written


def test_a_stream_hides_what_is_written_in_pieces_and_writes_what_is_left() -> None:
    remember(["planted-in-two-pieces"])
    written = io.StringIO()
    stream = RedactedStream(written)
    for piece in ("it was planted-in-", "two-pieces\nand the last li", "ne"):
        stream.write(piece)
    stream.flush()
    assert written.getvalue() == f"it was {HIDDEN}\nand the last line"


def test_labels_of_alerts_hold_no_secret(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    labels = {f"label_{number}": said for number, said in enumerate(SAID)} | {"pod": "inference-a"}
    log.alert(("a", "Down"), AlertSaid(AlertState.FIRING, labels=labels), 1)
    log.close()
    (file,) = tmp_path.glob("alerts.*.jsonl")
    assert "planted" not in file.read_text()
    assert "inference-a" in file.read_text()
