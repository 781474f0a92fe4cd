"""Evidence about checkpoints: read from the storage servers' disks and from the job's ledger, not from what the injector says."""

from __future__ import annotations

import json
import shlex

import polars as pl

from history.errors import NoData
from history.ledgers import FOLDER
from history.plan import ResolvedTarget
from history.reader import read_table
from history.schema import TRAINING, EventKind
from kube import live
from kube.inside import output_of
from probes.record import first_ns

PROJECT = "/opt/aftershock"
PROGRAM = "workloads.storage.damage_at_rest"
BUCKET = "/data/objects/training/runs"


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, a finished checkpoint of the run differs from the SHA-256 that its manifest records.

    Raises:
        NoData: the disk cannot be looked at.

    """
    return all(_differences(target, role) for target in live.require().targets_of(activity))


def _differences(target: ResolvedTarget, role: str) -> list[dict[str, str]]:
    run = live.require()
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


def passed_over(activity: str) -> bool:
    """Tell whether a start of the job since ``activity`` named a checkpoint that it did not take: the damage was met. Raises NoData."""
    since_ns = first_ns(EventKind.FAULT_START, activity)
    rows = read_table(live.require().run_dir / FOLDER, "training", schema=TRAINING)
    starts = rows.filter((pl.col("kind") == "start") & (pl.col("t_ns") >= since_ns))
    return any(json.loads(detail).get("rejected") for detail in starts["detail"].drop_nulls())
