"""Evidence about checkpoints: read from the storage servers' disks and from the job's ledger, not from what the injector says."""

from __future__ import annotations

import json
import shlex

import polars as pl

from history.errors import NoData
from history.ledgers import FOLDER
from history.plan import ResolvedTarget
from history.reader import read_table
from history.schema import TRAINING
from kube.container_exec import output_of
from safety import active_run
from target.suite_image import PROJECT

PROGRAM = "workloads.storage.damage_at_rest"
BUCKET = "/data/objects/training/runs"


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the newest checkpoint that the job finished differs from the SHA-256 that its manifest records.

    The newest, by the job's own ledger: the one from which a new attempt would go on. An older one that is damaged proves nothing.

    Raises:
        NoData: the disk cannot be looked at, or no checkpoint was finished yet.

    """
    newest = _newest()
    return all(newest in {one["checkpoint"] for one in _differences(target, role)} for target in active_run.require().targets_of(activity))


def _newest() -> str:
    rows = read_table(active_run.require().run_dir / FOLDER, "training", schema=TRAINING)
    saved = rows.filter(pl.col("kind") == "checkpoint").sort("step")["detail"]
    if saved.is_empty():
        raise NoData("checkpoints: the ledger names none that was finished; is the job running?")
    return str(json.loads(saved[-1])["name"])


def _differences(target: ResolvedTarget, role: str) -> list[dict[str, str]]:
    run = active_run.require()
    job, container = run.plan.training, run.platform.target.role(role).container
    if job is None or container is None:
        raise NoData(f"checkpoints on {target.name}: the run follows no training job, or role {role} names no container")
    look = shlex.join([".venv/bin/python", "-m", PROGRAM, "look", f"{BUCKET}/{job.job}"])
    line = f"cd {PROJECT} && PYTHONDONTWRITEBYTECODE=1 {look}"
    text = output_of(run.platform, target.name, target.namespace or "", container, ["sh", "-c", line])
    try:
        return list(json.loads(text))
    except ValueError as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {PROGRAM} wrote {text[-200:]!r}, expected JSON") from error
