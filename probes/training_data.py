"""Evidence about training data: read from the storage servers' disks, not from what the injector says."""

from __future__ import annotations

from probes.stored import all_differ
from safety import active_run
from target.object_store import training_data_of


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the data differ from the SHA-256 that their record says. Raises NoData: they cannot be read."""
    store = active_run.require().platform.target.role(role).object_store
    return all_differ(activity, role, training_data_of(store, role))
