"""pytest's own ways into a session: reruns, other files in the folder, another path of modules; and what a real child leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.run.parent import child_environment
from testing.platform.kube_api import CONTEXT, Answer, Asked, kube_api, write_target
from testing.runs.pytest_ways import WAYS, session
from testing.runs.sessions import Project


@pytest.mark.parametrize("given", WAYS)
def test_a_way_ends_as_it_should(project: Project, given: str) -> None:
    way = WAYS[given]
    way.prepare(project)
    done = project.chaos(*way.arguments)
    assert (done.code, "Traceback" in done.text) == (way.code, False), done.text
    assert way.said in done.text


def test_a_child_finds_its_modules_and_the_kubeconfigs_of_where_the_session_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    made = child_environment({"PYTHONSAFEPATH": "1", "KUBECONFIG": "a:/b/c", "PATH": "/bin"})
    assert made == {"KUBECONFIG": "/usr/a:/b/c", "PATH": "/bin"}


def test_a_real_child_runs_with_a_safe_path_and_leaves_no_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("planted-token-of-a-file\n")

    def quotes(asked: Asked) -> Answer:
        return Answer(500, {"message": f"nobody knows {asked.values('authorization')} of {asked.values('user-agent')}"})

    with kube_api() as api:
        write_target(tmp_path, api.url, {"tokenFile": "token"})
        api.answer = quotes
        changes = {"server": api.url, "context": CONTEXT, "kubeconfig": None}
        done = session(tmp_path, more={"PYTHONSAFEPATH": "1", "KUBECONFIG": str(tmp_path / "kubeconfig")}, **changes)
    assert done.returncode == 11, done.stdout + done.stderr
    assert "nobody knows ['Bearer [redacted]']" in done.stdout
    left = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert {"child.log", "report.json"} <= {file.name for file in left}
    assert not [file for file in left if b"planted" in file.read_bytes()]
    assert "planted" not in done.stdout + done.stderr


def test_a_kubeconfig_with_a_tab_is_a_refusal_with_its_line(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\n\tkind: Config\n")
    done = session(tmp_path, "--chaos-dry-run", kubeconfig=str(kubeconfig))
    assert done.returncode == 11, done.stdout
    assert f"{kubeconfig}:2: not valid YAML: " in done.stdout
