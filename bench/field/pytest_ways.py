"""pytest's own ways into a session of experiments: reruns, other files in the folder, another path of modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.field.cases import Seen, case
from testing.platform.fake_cluster import ROOT
from testing.platform.kube_api import CONTEXT, failure, kube_api, write_target
from testing.runs.pytest_ways import WAYS, Way, session
from testing.runs.sessions import make_project

PART = "pytest"
OPTIONS = ("-p", "runner.plugin.plugin", "-p", "no:cacheprovider", "-m", "chaos", "--chaos-target=target.yaml", "--chaos-out=out")


def way_in(given: str, way: Way) -> None:
    """Register a session of a scripted child."""

    @case(PART, given, way.right)
    def run() -> Seen:
        with TemporaryDirectory() as folder:
            project = make_project(Path(folder))
            way.prepare(project)
            environment = os.environ | {"PYTHONPATH": str(ROOT), "FAKE_CHILD": str(project.root / "script.json")}
            command = [sys.executable, "-m", "pytest", *OPTIONS, *way.arguments]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        lines = (done.stdout + done.stderr).replace(folder, "").splitlines()
        said = next((line.strip() for line in lines if way.said in line), lines[-1] if lines else "nothing")
        return Seen(f"exit code {done.returncode}: {said}", done.returncode == way.code and way.said in said)


for _given, _way in WAYS.items():
    way_in(_given, _way)


@case(PART, "PYTHONSAFEPATH=1", "runs")
def safe_path() -> Seen:
    """Start a real session whose API server refuses: its child has asked then."""
    with TemporaryDirectory() as folder, kube_api() as api:
        write_target(Path(folder), api.url)
        api.answer = lambda _: failure(403, "nobody may")
        changes = {"server": api.url, "context": CONTEXT, "kubeconfig": f"{folder}/kubeconfig"}
        done = session(Path(folder), "--chaos-dry-run", more={"PYTHONSAFEPATH": "1"}, **changes)
    said = "asked the API server" if api.asked else done.stdout.strip().splitlines()[-1]
    return Seen(f"exit code {done.returncode}, {said}", done.returncode == 11 and "nobody may" in done.stdout)
