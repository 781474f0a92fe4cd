"""One trial: a variant of the platform is put on the cluster, one experiment runs against it, and its verdict is kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.common.tables import ROOT, Row
from history.result import RunVerdict, Verdict
from workloads.deploy import Kubectl, objects_of

CODE = ("faults", "verdict")
"""Whose code decides a trial besides experiment, manifests and target: what else changes voids none."""


class NoVerdict(RuntimeError):
    """A trial came to no verdict; the sentence says what to look at."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One experiment on one variant; ``number``: which of its runs."""

    variant: str
    experiment: str
    number: int

    @property
    def name(self) -> str:
        """As it is called in the table and in the folder of its report."""
        return f"{self.variant.replace('/', '-')}/{self.experiment.rpartition('/')[2]}-{self.number}"


def digest_of(trial: Trial, target: Path) -> str:
    """Return the digest of what decides the trial, 12 hexadecimal digits. Raises DeployFailed."""
    digest = hashlib.sha256()
    for path in (
        ROOT / "experiments" / f"{trial.experiment}.yaml",
        target,
        *(p for part in CODE for p in sorted((ROOT / part).rglob("*.py"))),
    ):
        digest.update(path.read_bytes())
    digest.update(json.dumps(objects_of(Kubectl.choose(None, None), trial.variant), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


def put(variant: str) -> None:
    """Put ``variant`` on the embedded cluster and wait until it has rolled out. Raises NoVerdict."""
    if subprocess.run([sys.executable, "-m", "workloads", "deploy", "--variant", variant], cwd=ROOT, check=False).returncode:
        raise NoVerdict(f"{variant} could not be put on the cluster, see the words above; make deploy brings the hardened platform back")


def run_trial(trial: Trial, target: Path, out: Path) -> Row:
    """Run the experiment against what stands on the cluster; return its row.

    Raises NoVerdict: the session ended without one.
    """
    began_s, name = time.monotonic(), trial.experiment.rpartition("/")[2]
    options = [f"--chaos-target={target}", f"--chaos-out={out}", "-k", name]
    subprocess.run([sys.executable, "-m", "pytest", "-m", "chaos", *options], cwd=ROOT, check=False)
    found = sorted(out.glob("runs/*/verdict.json"))
    if len(found) != 1:
        raise NoVerdict(f"{trial.name}: {len(found)} verdicts in {out / 'runs'}, expected 1; see the session's words above")
    verdict = RunVerdict.model_validate_json(found[0].read_text())
    failed = {one.name: one.sentence for one in verdict.checks if one.verdict is Verdict.FAIL}
    said = {"verdict": verdict.verdict.value, "failed": failed, "sentence": verdict.sentence, "report": str(out)}
    return (
        {"trial": trial.name, "variant": trial.variant, "experiment": trial.experiment}
        | said
        | {"seconds": round(time.monotonic() - began_s)}
    )
