"""pytest's own ways into a session: reruns, other files in the folder, another path of modules; and what a real child leaves behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runner.run.parent import HANDED_ON, child_environment
from testing.platform.kube_api import CONTEXT, Answer, Asked, kube_api, write_target
from testing.runs.pytest_ways import WAYS, session
from testing.runs.sessions import Project

HANGS_UP = """
def pytest_runtest_call(item):
    import os, signal
    os.kill(os.getpid(), signal.SIGHUP)  # the terminal is closed while the child runs
"""


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
    assert made == {"KUBECONFIG": "/usr/a:/b/c", "PATH": "/bin", "PYTHONUTF8": "1"}


@pytest.mark.parametrize(
    ("marker", "own"),
    [("not (chaos or slow)", True), ("not chaos and own", True), ("own or not chaos", True), ("own", True), ("chaotic", False)],
)
def test_an_expression_that_holds_as_well_without_the_marker_asks_for_no_experiments(project: Project, marker: str, own: bool) -> None:
    (project.root / "tests" / "test_own.py").write_text("import pytest\n\n@pytest.mark.own\ndef test_own():\n    pass\n")
    done = project.run("-m", marker, "--chaos-target=target.yaml", "--chaos-out=out", "-v")
    assert ("chaos:" in done.text, "pod-killed" in done.text) == (False, False)
    assert ("test_own.py::test_own PASSED" in done.text) == own, done.text


@pytest.mark.parametrize("marker", ["chaos and serving", "(chaos)", "serving and chaos", "not slow and chaos", "chaos or slow"])
def test_an_expression_that_needs_the_marker_asks_for_experiments(project: Project, marker: str) -> None:
    done = project.run("-m", marker, "--chaos-target=target.yaml", "--chaos-out=out")
    assert (done.code, "1 passed" in done.text) == (0, True), done.text


def test_the_command_that_repeats_a_session_of_another_folder_repeats_it_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "below").mkdir()
    monkeypatch.chdir(project.root / "below")
    done = project.chaos("--chaos-seed=5")
    assert done.code == 0, done.text
    assert "repeat with: pytest -m chaos --chaos-target=target.yaml --chaos-seed=5\n" in done.text
    elsewhere = project.root.parent / "elsewhere.yaml"
    elsewhere.write_text((project.root / "target.yaml").read_text())
    done = project.run("-m", "chaos", f"--chaos-target={elsewhere}", "--chaos-out=out")
    assert f"--chaos-target={elsewhere} " in done.text


def test_a_run_that_cannot_begin_leaves_the_signals_as_they_were(project: Project) -> None:
    (project.root / "out").write_text("a file in the folder's place")
    before = [signal.getsignal(number) for number in HANDED_ON]
    assert project.chaos().code == 11
    assert [signal.getsignal(number) for number in HANDED_ON] == before


def test_a_python_without_texts_is_refused(project: Project) -> None:
    command = [sys.executable, "-OO", "-m", "pytest", "-p", "runner.plugin.plugin", "-m", "chaos", "--chaos-target=target.yaml"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert (done.returncode, "unset it" in done.stdout + done.stderr) == (4, True)


def test_what_nohup_ignores_stays_ignored(project: Project) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        file = project.root / "conftest.py"
        file.write_text(file.read_text() + HANGS_UP)
        done = project.chaos()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.code == 0, done.text
    assert "1 passed" in done.text


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
