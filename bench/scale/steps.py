"""What is measured on a large platform, step by step, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.common.tables import ROOT
from bench.scale.control_plane import ControlPlane
from bench.scale.measured import Account
from runner.request import ProfileName, Request
from testing.load.program import program
from testing.platform.large.manifests import Large
from testing.platform.large.target_file import target_file

DRY_RUNS = ("serving/replica-killed", "serving/node-drained", "serving/zone-lost")
RUN = "control/null-control"
EXPERIMENTS = ROOT / "experiments"


@dataclass(frozen=True, slots=True)
class Step:
    """What was measured. ``ok``: it came to the end that it must come to. A command that asks no API server has no requests."""

    name: str
    ok: bool
    said: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    requests: int | None = None
    largest_bytes: int | None = None
    of: str = ""
    preflight: bool = False
    first_cpu_s: float = 0.0  # where it was done twice and the second time counted

    @property
    def cores(self) -> float:
        """How many processors it kept busy, on average."""
        return self.cpu_s / self.wall_s if self.wall_s else 0.0


def steps(plane: ControlPlane, large: Large, folder: Path, profile: ProfileName) -> Iterator[Step]:
    """Measure collection, preflight, a whole run and its report; yield each as it ends."""
    with program("testing.load.scripted_server") as server:
        target = folder / "target.yaml"
        target.write_text(yaml.safe_dump(target_file(large, folder, plane.url, plane.kubeconfig, f"{server.url}/v1")))
        yield _command("collection", ["pytest", "-m", "chaos", "--collect-only", "-q", f"--chaos-target={target}"], folder)
        for number, experiment in enumerate(DRY_RUNS):
            name = f"preflight: dry run of {experiment.split('/')[1]}"
            took = _measured(_request(experiment, target, folder / f"dry-{number}", profile, dry_run=True))
            yield _step(name, took, ok=took.exit_code == 0, preflight=True)
        run_dir = folder / "run"
        took = _measured(_request(RUN, target, run_dir, profile, dry_run=False))
        yield from _phases(took)
        yield _step("the whole run", took, ok=took.exit_code == 0 and took.said.startswith("PASS"))
        yield _command("its report", ["reports", str(run_dir), "--out", str(folder / "report")], folder)


def _phases(took: Account) -> Iterator[Step]:
    """Yield what of a run is worth a row of its own."""
    for name, (wall_s, cpu_s, requests) in took.phases.items():
        if name in {"baseline", "observe"}:
            yield Step(f"watches and samples: {name}", True, "", wall_s, cpu_s, took.peak_bytes, requests)


def _step(name: str, took: Account, *, ok: bool, preflight: bool = False) -> Step:
    asked = (took.requests, took.largest_bytes, took.of)
    return Step(name, ok, took.said, took.wall_s, took.cpu_s, took.peak_bytes, *asked, preflight, took.first_cpu_s)


def _request(experiment: str, target: Path, run_dir: Path, profile: ProfileName, *, dry_run: bool) -> Request:
    return Request(
        run_id=f"20261101-120000-{experiment.split('/')[1]}-1-5ca1",
        run_dir=run_dir,
        experiment=EXPERIMENTS / f"{experiment}.yaml",
        experiments_root=EXPERIMENTS,
        target=target,
        seed=7,
        profile=profile,
        dry_run=dry_run,
    )


def _measured(request: Request) -> Account:
    argv = [sys.executable, "-m", "bench.scale.measured", request.model_dump_json()]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench.scale.measured ended with exit code {done.returncode}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Account(**said)


def _command(name: str, arguments: Sequence[str], folder: Path) -> Step:
    """Run a command of the project's and return what it took, its own children with it."""
    log, begun_s = folder / f"{arguments[0]}.log", time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, stdout=file, stderr=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    said = "" if code == 0 else log.read_text(errors="replace")[-500:]
    return Step(name, code == 0, said, time.monotonic() - begun_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
