"""Resuming: the newest checkpoint that every rank can load and verify, in whichever store it is; whatever was passed over is named."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from workloads.storage.errors import ObjectDamaged, ObjectMissing, StorageError, StoreRefused
from workloads.storage.store import Store
from workloads.training.checkpoint import shard
from workloads.training.checkpoint.catalog import Catalog, Found, survey
from workloads.training.checkpoint.manifest import Name
from workloads.training.checkpoint.state import State
from workloads.training.errors import CheckpointRejected, RunRefused
from workloads.training.group import Group
from workloads.training.settings import Settings


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a run goes on. ``depth``: how many newer, finished checkpoints were passed over; ``rejected``: all that was passed over."""

    name: Name | None  # None: from nothing
    store: str
    depth: int
    rejected: tuple[str, ...]
    seconds: float
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    store: int
    found: Found


def resume(settings: Settings, group: Group, stores: Sequence[Store], state: State) -> Resumed:
    """Load the newest checkpoint that verifies on every rank into ``state``.

    Raises RunRefused if there are finished checkpoints and none can be loaded: a start from nothing would bury them. Likewise if they are
    of another run, model or a newer format; StorageError if no store answers. Nothing is written or deleted.
    """
    begun = time.monotonic()
    candidates, notes = group.from_first(lambda: _candidates(settings, stores))
    rejected, passed_over = list(notes), set[Name]()
    for candidate in candidates:
        problem = _try(settings, group, stores[candidate.store], candidate.found, state)
        if not problem:
            depth = len({name for name in passed_over if name > candidate.found.name})
            manifest = candidate.found.manifest
            created = manifest.created_ns if manifest else 0
            return Resumed(candidate.found.name, stores[candidate.store].url, depth, tuple(rejected), time.monotonic() - begun, created)
        rejected.append(f"{stores[candidate.store].url}: {candidate.found.name}: {problem}")
        if candidate.found.committed:
            passed_over.add(candidate.found.name)
    if passed_over:
        raise RunRefused(_nothing_loadable(rejected))
    return Resumed(None, "", 0, tuple(rejected), time.monotonic() - begun)


def _nothing_loadable(rejected: Sequence[str]) -> str:
    return (
        f"none of the checkpoints can be loaded: {'; '.join(rejected)}. Nothing was changed. Restore one "
        f"(python -m workloads.storage.restore --record step-…/manifest.json), or start a new run at another address"
    )


def _candidates(settings: Settings, stores: Sequence[Store]) -> tuple[list[_Candidate], list[str]]:
    """List all checkpoints of all stores, newest first, and which stores did not answer; rank 0 only."""
    found: list[_Candidate] = []
    notes: list[str] = []
    last: StorageError | None = None
    for i, store in enumerate(stores):
        try:
            catalog = survey(store, settings.run_id, form=settings.format, verify=settings.verify)
        except StorageError as error:
            notes.append(str(error))
            last = error
            continue
        found += [_Candidate(i, entry) for entry in _eligible(settings, catalog)]
    if last is not None and len(notes) == len(stores):
        raise last
    return sorted(found, key=lambda c: (c.found.name, -c.store), reverse=True), notes


def _eligible(settings: Settings, catalog: Catalog) -> Sequence[Found]:
    if settings.pointer == "early":  # the weakness: what the pointer names is taken for the newest, and nothing else is looked at
        return [f for f in catalog.checkpoints if f.name == catalog.pointer]
    return catalog.checkpoints


def _try(settings: Settings, group: Group, store: Store, found: Found, state: State) -> str:
    """Load one checkpoint on every rank, or on none; return why not, empty if it is loaded."""
    problem, loaded = found.problem, None
    if found.manifest is not None:
        expected = {"width": settings.width, "batch": settings.batch, "seed": settings.seed}
        if found.manifest.model and found.manifest.model != expected:
            raise RunRefused(
                f"{store.url}: {found.name} is of a model with {found.manifest.model}, this run has {expected}; nothing was changed"
            )
        try:
            loaded = shard.read_all(store, found.manifest, settings.format, verify=settings.verify)
        except (CheckpointRejected, ObjectMissing, ObjectDamaged, StoreRefused, StorageError) as error:
            problem = str(error)
    problems = [f"rank {rank}: {p}" for rank, p in enumerate(group.gather(problem)) if p]
    if not problems and loaded is not None:
        entries, samples = loaded
        state.load(entries, found.name.step, samples, group.rank)
        if not settings.resume_data:
            state.samples = 0  # the weakness: the order of the data begins again
    return problems[0] if problems else ""
