"""Who has a kubeconfig and nothing else: no root, no home, no group."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from testing.platform.fake_cluster import ROOT
from testing.platform.kube_api import CONTEXT, kube_api, write_target
from testing.runs.as_nobody import as_nobody, open_folder
from testing.runs.runner_parts import target_file

HOMELESS = {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = as_nobody([sys.executable, "-m", *words])
    return subprocess.run(command, cwd=ROOT, env=os.environ | HOMELESS, capture_output=True, text=True, check=False)


def test_it_is_nobody_who_runs() -> None:
    done = subprocess.run(as_nobody([sys.executable, "-c", "import os; print(os.geteuid())"]), capture_output=True, text=True, check=False)
    assert int(done.stdout) != 0, done.stderr


@pytest.mark.parametrize("words", [("runner", "--help"), ("runner", "status", "--help"), ("verdict", "--help"), ("reports", "--help")])
def test_help_is_given(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


def test_a_dry_run_comes_to_what_the_platform_says() -> None:
    with open_folder() as folder, kube_api() as api:
        write_target(folder, api.url)
        file = target_file(folder, server=api.url, context=CONTEXT, kubeconfig=str(folder / "kubeconfig"))
        for written in folder.iterdir():
            written.chmod(0o644)
        options = [f"--chaos-target={file}", f"--chaos-out={folder / 'out'}", "-k", "replica-killed", "--chaos-dry-run"]
        done = run("pytest", "-p", "no:cacheprovider", "-m", "chaos", *options)
        assert done.returncode == 11, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert "ask for permissions (SelfSubjectAccessReview): " in done.stdout  # which this API server cannot answer
        assert [asked.path for asked in api.asked if "selfsubjectaccessreviews" in asked.path]
        assert list((folder / "out").rglob("child.log")), "its run left no folder"
