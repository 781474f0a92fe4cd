"""``python -m runner discover``: what it writes, what it never overwrites, and what it says when it cannot begin."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from history.errors import ConfigError, TargetRefused
from kube.connection.kubeconfig import current_context
from runner import __main__ as command_line
from runner.commands.discover import discover
from runner.discovery.draft.page import Page
from runner.exits import REFUSED
from testing.platform.kube_api import kubeconfig
from testing.platform.strangers import engine_manifests as shipped
from testing.platform.strangers.discovered import at, discovered, options
from testing.platform.strangers.manifests import Manifests, container, namespace, service, workload


def platform() -> Manifests:
    return Manifests([namespace("llm"), *shipped.vllm(), service("vllm", "llm", {"app": "vllm"}, 8000)])


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("mine")
    with at(platform(), tmp_path, monkeypatch) as api, pytest.raises(ConfigError, match="it is there already"):
        discover(options(file))
    assert file.read_text() == "mine"
    assert api.asked == []  # refused before anything was asked


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with at(platform(), tmp_path, monkeypatch), pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        discover(options(tmp_path / "none" / "mine.yaml"))


def test_without_a_file_the_draft_is_on_standard_output_and_the_rest_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["runner", "discover"])
    with at(platform(), tmp_path, monkeypatch):
        assert command_line.main() == 0
    said = capsys.readouterr()
    assert yaml.safe_load(said.out)["roles"]["inference"]["adapter"] == "vllm"
    assert "found: inference (Deployment vllm in llm: vLLM)" in said.err
    assert "to decide:" in said.err


def test_a_context_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["runner", "discover", "--context", "prod"])
    with at(platform(), tmp_path, monkeypatch):
        assert command_line.main() == REFUSED
    assert "there is no context 'prod', there is staging; nothing was asked" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig("http://127.0.0.1:9")))
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(TargetRefused, match=r"context staging: http://127.0.0.1:9: no answer from the API server"):
        discover(options(None))


def test_of_a_list_the_first_file_that_says_a_context_says_it(tmp_path: Path) -> None:
    empty, first, second = (tmp_path / name for name in ("empty", "first", "second"))
    empty.write_text("")
    first.write_text(yaml.safe_dump(kubeconfig("http://a", context="a")))
    second.write_text(yaml.safe_dump(kubeconfig("http://b", context="b")))
    assert current_context(f"{empty}:{first}:{second}") == "a"


def test_what_only_a_person_can_say_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = discovered(platform(), tmp_path, monkeypatch)
    for key in ("suite:", "namespaces:", "limits:", "slo:", "budgets:", "rate_rps:", "prompts:"):
        assert "DECIDE" in draft.above(key), key
    assert "DECIDE: is this where users come in?" in draft.above("endpoints:")
    assert draft.region["namespaces"] == ["llm"]
    assert "it does not consent yet" in draft.above("- llm")


def test_a_namespace_that_consents_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = platform()
    cluster.objects[0]["metadata"]["labels"] = {"aftershock.dev/chaos": "allowed", "pod-security.kubernetes.io/enforce": "restricted"}
    assert "it consents already; Pod Security restricted" in discovered(cluster, tmp_path, monkeypatch).above("- llm")


def test_what_a_cluster_says_never_leaves_its_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = "vllm/vllm-openai:v1\nroles: {evil: {}}\x1b[2J"
    box = container("vllm", image, "vllm serve m", {"": 8000})
    draft = discovered(Manifests([namespace("llm"), *workload("vllm", "llm", {"app": "vllm"}, box)]), tmp_path, monkeypatch)
    assert list(draft.roles) == ["inference"]
    assert "\x1b" not in draft.text


def test_a_token_of_the_kubeconfig_is_not_in_the_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = container("vllm", "vllm/vllm-openai:v1", "vllm serve m", {"": 8000})
    draft = discovered(Manifests([namespace("llm"), *workload("vllm", "llm", {"app": "an-opaque-token"}, box)]), tmp_path, monkeypatch)
    assert "an-opaque-token" not in draft.text


def test_comments_are_wrapped_and_values_are_not() -> None:
    page = Page()
    with page.under("a"):
        page.because("word " * 60)
        page.key("b", "x" * 300)
    lines = page.text().splitlines()
    assert all(len(line) <= 140 for line in lines if line.lstrip().startswith("#"))
    assert yaml.safe_load(page.text()) == {"a": {"b": "x" * 300}}
