"""pytest's own ways into a session of experiments: what each does, the exit code, and what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import target_file
from testing.runs.sessions import PASS, Project

RERUNS = """
def pytest_addoption(parser):
    parser.addoption("--reruns", type=int)
"""
REVERSED = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.reverse()  # as plugins do that run tests in random order
"""
TWICE = """
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol

    runtestprotocol(item, nextitem=nextitem, log=False)  # and once more by pytest itself
"""


class Way(NamedTuple):
    """An input, and what is right."""

    right: str
    prepare: Callable[[Project], object]
    arguments: tuple[str, ...]
    code: int
    said: str


def _conftest(project: Project, more: str) -> None:
    file = project.root / "conftest.py"
    file.write_text(file.read_text() + more)


def _reversed(project: Project) -> None:
    _conftest(project, REVERSED)
    project.experiment("serving/second")
    project.script(pod_killed=PASS, second=PASS)


def _json(project: Project, name: str, **content: object) -> None:
    (project.root / "experiments" / "serving" / f"{name}.json").write_text(json.dumps(content))


def _only_json(project: Project) -> None:
    for file in (project.root / "experiments").rglob("*.yaml"):
        file.unlink()
    _json(project, "prompts")


WAYS = {
    "`--reruns 1`": Way("refused in a sentence", lambda one: _conftest(one, RERUNS), ("--reruns", "1"), 4, "ask for --chaos-trials=N"),
    "another plugin that reruns": Way(
        "refused in a sentence", lambda one: _conftest(one, TWICE), (), 11, "pytest asked for this run a second time"
    ),
    "`--setup-only`, `--setup-plan`": Way(
        "refused in a sentence", lambda _: None, ("--setup-plan",), 4, "would start runs and not follow them"
    ),
    "pytest-xdist without `-n`": Way(
        "refused in a sentence", lambda _: None, ("--tx=2*popen", "--dist=load"), 4, "since faults must not overlap"
    ),
    "a plugin that runs tests in random order": Way("runs", _reversed, ("--chaos-trials=2",), 0, "4 passed"),
    "an experiment.json in the folder": Way(
        "said", lambda one: _json(one, "experiment", method=[]), (), 11, "JSON is YAML too: save it as experiment.yaml"
    ),
    "a JSON file of data in the folder": Way("runs", lambda one: _json(one, "prompts", a=1), (), 0, "1 passed"),
    "a folder without experiments": Way("said", _only_json, (), 11, "no experiment in it"),
    '`-m "not (chaos or slow)"`': Way(
        "the user's own tests and no experiment", lambda _: None, ("-v", "-m", "not (chaos or slow)"), 0, "test_own.py::test_own PASSED"
    ),
    "`--chaos-out` where no folder can be made": Way(
        "refused in a sentence", lambda one: (one.root / "out").write_text(""), (), 11, "the run cannot begin ([Errno 20] Not a directory"
    ),
    "a child that ends in preflight without a word": Way(
        "refused, never FAIL", lambda one: one.script(pod_killed=[["exit", 3]]), (), 11, "ended in preflight with exit code 3"
    ),
}


def session(folder: Path, *arguments: str, more: dict[str, str] | None = None, **changes: object) -> subprocess.CompletedProcess[str]:
    """Carry out a real session of one shipped experiment, its child too, on the local target with ``changes``; its runs are in ``out``."""
    options = [f"--chaos-target={target_file(folder, **changes)}", f"--chaos-out={folder / 'out'}", "-k", "replica-killed"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "chaos", *options, *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | (more or {}), capture_output=True, text=True, check=False)
