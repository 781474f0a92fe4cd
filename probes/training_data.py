"""Evidence about training data: read from the storage servers' disks, not from what the injector says."""

from __future__ import annotations

from probes.stored import differing
from safety import active_run
from target.object_store import store_of, training_data_of


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the data differ from the SHA-256 that their record says. Raises NoData: they cannot be read."""
    run = active_run.require()
    store = run.platform.target.role(role).object_store
    folder, data = store_of(store, role).buckets, training_data_of(store, role)
    return all(differing(target, role, f"{folder}/{data.folder}", data.record) for target in run.targets_of(activity))
