"""Exec plugins as real programs, and an API server on loopback: run once, bounded, quoted where they fail, never shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube.client import connect
from kube.connection import exec_plugin
from target.secrets.hiding import redact_text
from testing.platform.kube_api import FAILS, KubeApi, Plugin, ask, failure, hands_over, kube_api, refused, write_target

TOKEN = "an-opaque-token-of-a-plugin"  # noqa: S105


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as made:
        yield made


def test_a_plugin_s_token_is_sent_and_it_is_run_once(api: KubeApi, tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, hands_over(TOKEN))
    platform = connect(write_target(tmp_path, api.url, plugin.user))
    threads = [threading.Thread(target=ask, args=(platform,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plugin.runs == 1
    assert [asked.values("authorization") for asked in api.asked] == [[f"Bearer {TOKEN}"]] * 9
    assert redact_text(f"it was {TOKEN}") == "it was [redacted]"


def test_a_plugin_that_fails_is_quoted_and_nobody_is_asked(api: KubeApi, tmp_path: Path) -> None:
    said = refused(tmp_path, api, Plugin(tmp_path, FAILS).user)
    assert "ended with exit code 1: SSO session has expired or is invalid; run aws sso login; run it in a terminal" in said
    assert not api.asked


def test_a_plugin_that_hangs_is_ended_and_quoted(api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = "import subprocess; subprocess.Popen(['sleep', '100'])\n"  # it holds the pipes open
    user = Plugin(tmp_path, f"print('open https://login.example.org', file=sys.stderr, flush=True)\n{child}time.sleep(100)\n").user
    monkeypatch.setattr(exec_plugin, "LIMIT_S", 5.0)
    said = refused(tmp_path, api, user)
    assert "no answer within 5 s: open https://login.example.org; run it in a terminal, it may be waiting for a log-in" in said


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"print({TOKEN!r})\n", "what it printed is no ExecCredential (no JSON)"),
        ('print(\'{"apiVersion": "client.authentication.k8s.io/v1"}\')\n', "no ExecCredential (status)"),
        (hands_over(TOKEN).replace("/v1'", "/v1beta1'"), "it speaks client.authentication.k8s.io/v1beta1, the kubeconfig says"),
        (hands_over(), "it handed over no token and no certificate with its key"),
        (hands_over("two\nlines-of-a-token"), "the token holds a character that no header may have"),
    ],
)
def test_what_a_plugin_hands_over_wrongly_is_a_sentence_that_shows_none_of_it(api: KubeApi, tmp_path: Path, body: str, words: str) -> None:
    said = refused(tmp_path, api, Plugin(tmp_path, body).user)
    assert words in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": "no-such-plugin-here", "installHint": "see https://example.org"}, "cannot be started ([Errno 2]"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "is none of client.authentication.k8s.io/v1,"),
        ({"interactiveMode": "Always"}, "asks for a person, and nobody is there"),
        ({"command": ["a"]}, "key exec of the user: command: Input should be a valid string"),
        ({"command": ""}, "key exec of the user: command: String should have at least 1 character"),
    ],
)
def test_a_plugin_that_cannot_be_run_is_a_sentence(api: KubeApi, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    user = Plugin(tmp_path, hands_over(TOKEN)).user
    assert words in refused(tmp_path, api, {"exec": user["exec"] | change})


def test_a_plugin_gets_its_variables_and_the_cluster_that_it_asks_for(api: KubeApi, tmp_path: Path) -> None:
    body = "json.dump([os.environ['AWS_PROFILE'], json.loads(os.environ['KUBERNETES_EXEC_INFO'])], open(__file__ + '.seen', 'w'))\n"
    user = Plugin(tmp_path, body + hands_over(TOKEN)).user
    user["exec"] |= {"env": [{"name": "AWS_PROFILE", "value": "staging"}], "provideClusterInfo": True}
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    connect(write_target(tmp_path, api.url, user, extensions=[extension]))
    seen = (tmp_path / "plugin.seen").read_text()
    assert '"staging"' in seen
    assert f'"server": "{api.url}", "config": {{"audience": "x"}}' in seen


def test_a_token_that_is_not_accepted_any_more_is_renewed_and_the_request_sent_again(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kube.connection.credentials.AGAIN_S", 0.0)
    body = f"count = os.path.getsize({str(tmp_path / 'runs')!r})\n" + hands_over("!").replace("'!'", "f'token-number-{count}'")
    platform = connect(write_target(tmp_path, api.url, Plugin(tmp_path, body).user))
    api.answer = lambda asked: None if asked.values("authorization") == ["Bearer token-number-2"] else failure(401, "Unauthorized")
    ask(platform)
    assert [asked.values("authorization") for asked in api.asked[1:]] == [["Bearer token-number-1"], ["Bearer token-number-2"]]
