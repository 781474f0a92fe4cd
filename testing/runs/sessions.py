"""Sessions of ``pytest -m chaos`` in a checkout of their own, with children that do what a script says."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from testing.platform.fake_cluster import ROOT
from testing.runs.runner_parts import EXPERIMENT

CHILD = (sys.executable, "-S", str(ROOT / "testing/runs/runner_child.py"))
CONFTEST = f"""
import runner.run.parent, runner.plugin.plugin
runner.run.parent.CHILD = {CHILD!r}
runner.plugin.plugin.write_report = lambda _chaos: True  # its own tests: tests/unit/reports
"""
INI = """[pytest]
addopts = -m 'not chaos' -p no:locust --strict-markers
testpaths = tests
markers =
    slow: the project's own
    own: the project's own
    chaotic: the project's own
"""
RESOLVED = ["say", {"kind": "resolved", "lines": []}]
PASS = [RESOLVED, ["verdict", {"verdict": "PASS"}]]


class Done(NamedTuple):
    """How a session ended, and what it said."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout with experiments of its own. Sessions run in this process, except where a signal is sent to them."""

    root: Path

    def experiment(self, name: str, text: str = EXPERIMENT) -> None:
        file = self.root / "experiments" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def script(self, **steps: object) -> None:
        (self.root / "script.json").write_text(json.dumps({name.replace("_", "-"): one for name, one in steps.items()}))

    def run(self, *arguments: str) -> Done:
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = pytest.main(["-p", "runner.plugin.plugin", "-p", "no:cacheprovider", "-p", "no:anyio", *arguments])
        sys.modules.pop("test_own", None)  # the next project has another file of that name
        return Done(int(code), said.getvalue())

    def chaos(self, *arguments: str) -> Done:
        return self.run("-m", "chaos", "--chaos-target=target.yaml", "--chaos-out=out", *arguments)

    def start(self, log: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pytest", "-p", "runner.plugin.plugin", "-p", "no:cacheprovider"]
        command += ["-m", "chaos", "--chaos-target=target.yaml", "--chaos-out=out"]
        with log.open("w") as output:
            return subprocess.Popen(command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, text=True)


def make_project(root: Path) -> Project:
    """Make a checkout with one experiment, a test of its own and the target file of the embedded cluster under another name."""
    (root / "pytest.ini").write_text(INI)
    (root / "conftest.py").write_text(CONFTEST)
    (root / "tests").mkdir()
    (root / "tests" / "test_own.py").write_text("def test_own():\n    pass\n")
    local = (ROOT / "targets/local.yaml").read_text()
    (root / "target.yaml").write_text(local.replace("aftershock-local", f"aftershock-test-{os.getpid()}-{root.name}"))
    made = Project(root)
    made.experiment("serving/pod-killed")
    made.script(pod_killed=PASS)
    return made
