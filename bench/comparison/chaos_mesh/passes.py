"""One pass: a session of the set of experiments, whose faults are made by Chaos Mesh or, on the same cluster, by the suite itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import yaml

from bench.common.tables import ROOT, Row

MESH, OWN = "Chaos Mesh", "the suite itself"
MECHANISMS = (MESH, OWN)
SET = "replica-killed or replica-partitioned or dns-silent"
"""As `make chaos-mesh` chooses (a test compares)."""


def run_pass(target: Path, mechanism: str, out: Path) -> Row:
    """Run the set once and return its row."""
    out.mkdir(parents=True)
    used, began_s = target if mechanism == MESH else without_chaos_mesh(target, out), time.monotonic()
    options = [f"--chaos-target={used}", f"--chaos-out={out}", "-k", SET]
    done = subprocess.run([sys.executable, "-m", "pytest", "-m", "chaos", *options], cwd=ROOT, check=False)
    return {"mechanism": mechanism, "out": str(out), "exit": done.returncode, "wall_s": round(time.monotonic() - began_s)}


def without_chaos_mesh(target: Path, out: Path) -> Path:
    """Write ``target`` into ``out`` as if its cluster had no Chaos Mesh, and return it. Raises ValueError: its regions name none."""
    written = yaml.safe_load(target.read_text())
    named = [region.pop("chaos_mesh", None) for region in written["regions"].values()]
    if not any(one is not None for one in named):
        raise ValueError(f"{target}: no region has chaos_mesh, so both passes would be the same")
    copy = out / "target.yaml"
    copy.write_text(yaml.safe_dump(written, sort_keys=False))
    return copy
