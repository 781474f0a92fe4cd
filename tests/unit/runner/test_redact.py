"""Secrets planted wherever a run could meet them are in nothing that it writes."""

from __future__ import annotations

import base64
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError
from history.schema import EventKind
from runner import redact
from runner.event_log import RunLog
from runner.messages import Pipe
from runner.redact import HIDDEN, Redacted, of_environment, of_kubeconfig, redact_object, redact_text, remember
from runner.run.context import Context
from runner.run.lifecycle import run_part
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
    monkeypatch.setattr(redact, "_known", set())
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
