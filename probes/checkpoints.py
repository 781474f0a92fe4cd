"""Evidence about checkpoints: read from the storage servers' disks and from the job's ledger, not from what the injector says."""

from __future__ import annotations

import json

import polars as pl

from history.errors import NoData
from history.plan import ResolvedTarget
from probes.events import training_job, training_rows
from probes.targets import output
from safety import active_run
from target import reference_platform as storage


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the newest checkpoint that the job finished differs from the SHA-256 that its manifest records.

    The newest, by the job's own ledger: the one from which a new attempt would go on. An older one that is damaged proves nothing.

    Raises:
        NoData: the disk cannot be looked at, or no checkpoint was finished yet.

    """
    newest, targets = _newest(), active_run.require().targets_of(activity)
    return all(newest in {found["checkpoint"] for found in _differences(target, role)} for target in targets)


def _newest() -> str:
    saved = training_rows().filter(pl.col("kind") == "checkpoint").sort("step")["detail"]
    if saved.is_empty():
        raise NoData("checkpoints: the ledger names none that was finished; is the job running?")
    return str(json.loads(saved[-1])["name"])


def _differences(target: ResolvedTarget, role: str) -> list[dict[str, str]]:
    look = storage.command(storage.DAMAGE, "look", f"{storage.CHECKPOINTS}/{training_job().job}")
    text = output(target, role, ["sh", "-c", look])
    try:
        return list(json.loads(text))
    except ValueError as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {storage.DAMAGE} wrote {text[-200:]!r}, expected JSON") from error
