"""One trial: a variant of the platform is put on the cluster, one experiment runs against it, and what came of it is kept."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common.tables import ROOT, Row
from bench.weak.served import await_served
from bench.weak.weaknesses import TARGETS, base_of
from history.result import RunVerdict, Verdict
from kube.wait import until
from workloads.deploy import Kubectl, objects_of

CODE = ("faults", "verdict")
"""Whose code decides a trial besides experiment, manifests and target: what else changes voids none."""
REFUSED, NONE = "REFUSED", "NO VERDICT"
LEAVING_S = 120.0  # longer than the grace of any pod of the platform
ROLLOUT_S = "600"  # of one Deployment, whose replicas are replaced in turn


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

    @property
    def target(self) -> Path:
        """The target file of its platform."""
        return TARGETS[base_of(self.variant)]


def digest_of(trial: Trial) -> str:
    """Return the digest of what decides the trial, 12 hexadecimal digits. Raises DeployFailed."""
    digest = hashlib.sha256()
    for path in (
        ROOT / "experiments" / f"{trial.experiment}.yaml",
        trial.target,
        *(p for part in CODE for p in sorted((ROOT / part).rglob("*.py"))),
    ):
        digest.update(path.read_bytes())
    digest.update(json.dumps(objects_of(Kubectl.choose(None, None), trial.variant), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


def put(variant: str) -> None:
    """Put ``variant`` on the embedded cluster, wait until it has rolled out and serves its users. Raises NoVerdict."""
    deploy = [sys.executable, "-m", "workloads", "deploy", "--variant", variant, "--timeout", ROLLOUT_S]
    if subprocess.run(deploy, cwd=ROOT, check=False).returncode:
        raise NoVerdict(f"{variant} could not be put on the cluster, see the words above; make deploy brings the hardened platform back")
    if wrong := await_served(TARGETS[base_of(variant)]):
        raise NoVerdict(f"{variant} was put on the cluster, but {wrong}; make deploy brings the hardened platform back")
    if not until(lambda: not leaving(), LEAVING_S):
        raise NoVerdict(f"{variant} was put on the cluster, but after {LEAVING_S:g} s {', '.join(leaving())} has not left")


def leaving() -> list[str]:
    """Return the pods that are on their way out, by name: a rollout has ended before the last of the old ones has. Raises DeployFailed."""
    pods = Kubectl.choose(None, None).read("get", "pods", "--all-namespaces")["items"]
    return [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" in pod["metadata"]]


def run_trial(trial: Trial, out: Path) -> Row:
    """Run the experiment against what stands on the cluster; return its row.

    Raises NoVerdict: the session ended without one, and no refusal showed a risk.
    """
    began_s, (folder, _, name) = time.monotonic(), trial.experiment.rpartition("/")
    options = [f"--chaos-target={trial.target}", f"--chaos-out={out}", "-m", f"chaos and {folder}", "-k", name]
    subprocess.run([sys.executable, "-m", "pytest", *options], cwd=ROOT, check=False)
    return _about(trial, out) | outcome(trial, out) | {"seconds": round(time.monotonic() - began_s)}


def without_verdict(trial: Trial, out: Path, why: str) -> Row:
    """Return the row of a trial that came to no verdict."""
    return _about(trial, out) | {"verdict": NONE, "failed": {}, "sentence": why, "causes": [], "risks": [], "seconds": 0}


def _about(trial: Trial, out: Path) -> Row:
    return {"trial": trial.name, "variant": trial.variant, "experiment": trial.experiment, "report": str(out / "latest")}


def outcome(trial: Trial, out: Path) -> Row:
    """Return what a session came to: its verdict, what failed by which sentence, the causes and the risks that it named.

    Raises NoVerdict.
    """
    found, risks = sorted(out.glob("runs/*/verdict.json")), risks_of(out / "latest" / "report.json")
    if len(found) == 1:
        verdict = RunVerdict.model_validate_json(found[0].read_text())
        failed = {one.name: one.sentence for one in verdict.checks if one.verdict is Verdict.FAIL}
        said = {"verdict": verdict.verdict.value, "failed": failed, "sentence": verdict.sentence}
        return said | {"causes": [one.cause for one in verdict.advice or ()], "risks": risks}
    if not found and risks:
        return {"verdict": REFUSED, "failed": {}, "sentence": risks[0], "causes": [], "risks": risks}
    raise NoVerdict(f"{trial.name}: {len(found)} verdicts in {out / 'runs'} and no risk, expected 1; see the session's words above")


def risks_of(report: Path) -> list[str]:
    """Return the risks that a report names: the sentences of refusals, and what the platform's objects show (``NAME of WHERE``)."""
    if not report.is_file():
        return []
    held: dict[str, Any] = json.loads(report.read_text())
    return [one["sentence"] for one in held["risks"]] + [f"{one['name']} of {one['where']}" for one in held["weaknesses"] or ()]
