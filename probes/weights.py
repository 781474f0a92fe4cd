"""Evidence about the weights that replicas fetch: read from the object stores' disks, not from what the injector says."""

from __future__ import annotations

from probes.stored import all_differ
from safety import active_run
from target.object_store import model_of


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the weights differ from the SHA-256 in their record. Raises NoData: they cannot be read."""
    store = active_run.require().platform.target.role(role).object_store
    return all_differ(activity, role, model_of(store, role))
