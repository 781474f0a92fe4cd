"""Removal of superseded checkpoints, so that what is left can always be loaded.

Nothing is deleted unless ``keep`` checkpoints of this store were read and verified just now; then only what is older than all of them.
A manifest goes before its shards: what is half deleted never looks like a checkpoint. Files that are not ours are never touched.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workloads.storage.errors import ObjectDamaged, ObjectMissing
from workloads.storage.store import Store
from workloads.training.checkpoint import manifest as names
from workloads.training.checkpoint.catalog import Found, survey, verify_stored
from workloads.training.checkpoint.manifest import Manifest, Name
from workloads.training.errors import CheckpointRejected


@dataclass(frozen=True, slots=True)
class Collected:
    """Which checkpoints were verified and kept (newest first), which were found damaged, and which were removed."""

    verified: tuple[Manifest, ...]
    damaged: tuple[str, ...]
    removed: tuple[Name, ...]


def collect(store: Store, run_id: str, keep: int, *, form: str, verify: bool, hit: Callable[[str, int], object]) -> Collected:
    """Verify the newest ``keep`` checkpoints and remove all that are older; ``hit(point, step)`` is where a failpoint may act."""
    verified: list[Manifest] = []
    damaged: list[str] = []
    removed: list[Name] = []
    for found in survey(store, run_id, form=form, verify=verify).checkpoints:
        if len(verified) == keep:
            _remove(store, found, hit)
            removed.append(found.name)
            continue
        problem = _problem(store, found, verify=verify and form == "sealed")
        if found.manifest is not None and not problem:
            verified.append(found.manifest)
        elif found.committed:
            damaged.append(f"{found.name}: {problem}")
    return Collected(tuple(verified), tuple(damaged), tuple(removed))


def _problem(store: Store, found: Found, *, verify: bool) -> str:
    if found.manifest is None or not verify:
        return found.problem
    try:
        verify_stored(store, found.manifest)
    except (CheckpointRejected, ObjectMissing, ObjectDamaged) as error:
        return str(error)
    return ""


def _remove(store: Store, found: Found, hit: Callable[[str, int], object]) -> None:
    hit("gc.before", found.name.step)
    if names.MANIFEST in found.files:
        store.delete(found.name.key(names.MANIFEST))
    hit("gc.during", found.name.step)
    for file in found.files:
        if file != names.MANIFEST:
            store.delete(found.name.key(file))
