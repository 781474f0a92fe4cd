"""A kubeconfig means what it means to kubectl, and no more: kinds of values, names that stand twice, files that nobody may look at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.connection.errors import KubeconfigRefused
from kube.connection.kubeconfig import files_of, read_entry
from testing.platform.kube_api import kubeconfig


def refusal(folder: Path, document: dict[str, Any], environment: dict[str, str] | None = None) -> str:
    """Return why the context of ``document`` cannot be used, without the file's name."""
    file = folder / "config"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(KubeconfigRefused) as wrong:
        read_entry(None, "staging", environment or {"KUBECONFIG": str(file)})
    return str(wrong.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize("value", ["false", "true", "no", 0])
def test_what_turns_checking_of_certificates_off_is_a_truth_value_or_refused(tmp_path: Path, value: object) -> None:
    document = kubeconfig("https://x", None, "staging", insecure_skip_tls_verify=value)
    assert refusal(tmp_path, document) == "cluster of-staging: insecure-skip-tls-verify must be true or false, without quotes"


@pytest.mark.parametrize(
    ("kind", "key", "value", "said"),
    [
        ("cluster", "certificate-authority-data", 7, "certificate-authority-data must be a text, YAML reads it as a int; put it in quotes"),
        ("cluster", "tls-server-name", True, "tls-server-name must be a text, YAML reads it as a bool; put it in quotes"),
        ("user", "token", 1234567890, "token must be a text, YAML reads it as a int; put it in quotes"),
        ("user", "client-key-data", ["a"], "client-key-data must be a text, YAML reads it as a list; put it in quotes"),
    ],
)
def test_what_yaml_reads_as_something_else_than_a_text_is_refused_and_not_shown(
    tmp_path: Path, kind: str, key: str, value: object, said: str
) -> None:
    document = kubeconfig("https://x")
    document[f"{kind}s"][0][kind][key] = value
    assert refusal(tmp_path, document) == f"{kind} of-staging: {said}"


@pytest.mark.parametrize("kind", ["cluster", "user", "context"])
def test_a_name_that_stands_twice_in_one_file_is_refused_and_not_the_first_taken(tmp_path: Path, kind: str) -> None:
    document = kubeconfig("https://x")
    document[f"{kind}s"].append(document[f"{kind}s"][0] | {kind: {"server": "https://another"}})
    name = document[f"{kind}s"][0]["name"]
    assert refusal(tmp_path, document) == f"{kind}s has the name {name!r} twice; leave one of them out"


def test_what_is_empty_says_nothing_as_in_kubectl(tmp_path: Path) -> None:
    empty = {"certificate_authority": "", "tls_server_name": "", "insecure_skip_tls_verify": None, "proxy_url": None}
    document = kubeconfig("https://x", {"token": "a-token", "tokenFile": ""}, "staging", **empty) | {"current-context": ""}
    (tmp_path / "config").write_text(yaml.safe_dump(document))
    entry = read_entry(str(tmp_path / "config"), "staging")
    assert (entry.cluster, entry.user) == ({"server": "https://x"}, {"token": "a-token"})


@pytest.mark.parametrize("text", ["", "# written by a script\n\n", "---\n", "---\n# nothing\n"])
def test_a_file_of_a_list_that_holds_nothing_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "first").write_text(text)
    (tmp_path / "second").write_text(yaml.safe_dump(kubeconfig("https://x")))
    assert read_entry(None, "staging", {"KUBECONFIG": f"{tmp_path}/first{os.pathsep}{tmp_path}/second"}).user


def test_nobody_s_home_is_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does for a user without an entry and without HOME
    monkeypatch.chdir(tmp_path)
    assert [str(file) for file in files_of(None, {})] == ["~/.kube/config"]
    with pytest.raises(KubeconfigRefused, match=r"~/\.kube/config cannot be read: .*No such file"):
        read_entry(None, "staging", {})


def test_a_file_of_a_list_that_this_user_may_not_look_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig("https://x")))

    def denied(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", denied)
    listed = {"KUBECONFIG": f"{tmp_path / 'gone'}{os.pathsep}{tmp_path / 'config'}"}
    with pytest.raises(KubeconfigRefused, match="gone cannot be read"):
        read_entry(None, "staging", listed)
