"""Evidence about checkpoints: read from the storage servers' disks and from the job's ledger, not from what the injector says."""

from __future__ import annotations

import json

import polars as pl

from history.errors import NoData
from probes.events import training_job, training_rows
from probes.stored import differing
from safety import active_run
from target.object_store import checkpoints_of

MANIFEST = "manifest.json"


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the newest checkpoint that the job finished differs from the SHA-256 that its manifest records.

    The newest, by the job's own ledger: the one from which a new attempt would go on. An older one that is damaged proves nothing.

    Raises:
        NoData: the disk cannot be looked at, or no checkpoint was finished yet.

    """
    run = active_run.require()
    folder = f"{checkpoints_of(run.platform.target.role(role).object_store, role)}/{training_job().job}/{_newest()}"
    return all(differing(target, role, folder, MANIFEST) for target in run.targets_of(activity))


def _newest() -> str:
    saved = training_rows().filter(pl.col("kind") == "checkpoint").sort("step")["detail"]
    if saved.is_empty():
        raise NoData("checkpoints: the ledger names none that was finished; is the job running?")
    return str(json.loads(saved[-1])["name"])
