"""Evidence about the weights that replicas fetch: read from the object stores' disks, not from what the injector says."""

from __future__ import annotations

from probes.stored import differing
from safety import active_run
from target.object_store import model_of, store_of


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the weights differ from the SHA-256 in their record. Raises NoData: they cannot be read."""
    run = active_run.require()
    store = run.platform.target.role(role).object_store
    folder, model = store_of(store, role).buckets, model_of(store, role)
    return all(differing(target, role, f"{folder}/{model.folder}", model.record) for target in run.targets_of(activity))
