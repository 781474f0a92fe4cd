"""Saving a checkpoint beside the training, at most one at a time, into every store on its own.

    each rank   snapshot ─▶ encode ─▶ put + read back, per store        WRITTEN
    all ranks   exchange what was written, once everyone is done        (in a step's pulse)
    rank 0      fence? ─▶ manifest ─▶ pointer ─▶ verify + collect       COMMITTED
    all ranks   learn the outcome                                       IDLE

A checkpoint is committed in a store only if every rank's shard is there. A store that fails or hangs fails its own part only, after
``save_timeout_s`` at the latest; while a write still hangs, its store is passed over.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

from workloads.storage.errors import StorageError, StoreUnavailable
from workloads.storage.sealed import digest
from workloads.storage.store import Store
from workloads.training.checkpoint import catalog, fence, shard, state
from workloads.training.checkpoint.collect import Collected, collect
from workloads.training.checkpoint.manifest import MANIFEST, Manifest, Name, Shard, shard_file
from workloads.training.checkpoint.state import Entries, State
from workloads.training.errors import CheckpointRejected, Fenced, TrainingError
from workloads.training.failpoints import Failpoints
from workloads.training.group import Group, Pulse
from workloads.training.settings import Settings

T = TypeVar("T")
_FAILURES = (StorageError, TrainingError, OSError)


class Phase(IntEnum):
    """How far a save is."""

    IDLE = 0
    WRITING = 1
    WRITTEN = 2
    COMMITTING = 3
    COMMITTED = 4


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What a save came to in one store; ``problem`` is empty where it is committed. ``damaged``: older checkpoints found broken."""

    url: str
    problem: str
    newest_verified: tuple[int, int] | None = None  # step and created_ns
    damaged: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SaveOutcome:
    """What a save came to. ``fenced``: why this attempt must end."""

    name: Name
    stores: tuple[StoreOutcome, ...]
    seconds: float
    state_digest: str
    fenced: str = ""

    @property
    def saved(self) -> bool:
        """Whether at least one store holds the checkpoint."""
        return any(not s.problem for s in self.stores)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a rank wrote: its shard, and per store what went wrong (empty: nothing)."""

    shard: Shard
    problems: tuple[str, ...]


class Lane:
    """One store and the thread that writes to it; a write that hangs blocks nobody else."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1)
        self._idle: Callable[[], bool] = lambda: True

    def submit(self, job: Callable[[Store], T]) -> "Future[T]":
        """Start a job; its future fails at once if the one before has not come back."""
        if not self._idle():
            busy: Future[T] = Future()
            busy.set_exception(StoreUnavailable(f"{self.store.url}: an earlier write has not come back yet"))
            return busy
        future = self._thread.submit(job, self.store)
        self._idle = future.done
        return future


class Saver:
    """The saves of one rank."""

    def __init__(self, settings: Settings, group: Group, stores: Sequence[Store], attempt: int, points: Failpoints) -> None:
        self._settings, self._group, self._points = settings, group, points
        self._lanes = [Lane(store) for store in stores]
        self._thread = ThreadPoolExecutor(1)
        self._attempt = attempt
        self._begun = 0.0
        self._template: Manifest | None = None
        self._part: Future[_Part] | None = None
        self._commit: Future[SaveOutcome] | None = None
        self._waiting = False  # for rank 0 to commit

    @property
    def busy(self) -> bool:
        """Whether a save is under way; the same on every rank."""
        return self._template is not None

    @property
    def phase(self) -> Phase:
        """How far this rank is."""
        if not self.busy or self._part is None:
            return Phase.IDLE
        if self._waiting:
            return Phase.COMMITTED if self._commit is not None and self._commit.done() else Phase.COMMITTING
        return Phase.WRITTEN if self._part.done() else Phase.WRITING

    def start(self, now: State) -> None:
        """Begin to save the state as it is now; raises RuntimeError if a save is under way."""
        if self.busy:
            raise RuntimeError(f"a save of step {now.step} was to begin while one is under way")
        settings, rank = self._settings, self._group.rank
        shared = now.shared()
        chosen = {name: shared[name] for name in state.partition(shared, self._group.world)[rank]} | now.own(rank)
        entries = {name: tensor.clone() for name, tensor in chosen.items()} if settings.snapshot else chosen
        model = {"width": settings.width, "batch": settings.batch, "seed": settings.seed}
        self._template = Manifest(
            settings.run_id, now.step, self._attempt, now.samples, self._group.world, time.time_ns(), model, state_digest="", shards=()
        )
        self._begun, self._waiting, self._commit = time.monotonic(), False, None
        self._part = self._thread.submit(self._write, self._template, entries)

    def advance(self, pulses: Sequence[Pulse]) -> SaveOutcome | None:
        """Go on from what all ranks told; every rank must call this with the same pulses. Return the outcome when the save is over."""
        if self._template is None or self._part is None:
            return None
        if all(p.phase == Phase.WRITTEN for p in pulses):
            parts = self._group.gather(self._part.result())
            self._waiting = True
            if self._group.rank == 0:
                self._commit = self._thread.submit(self._commit_all, self._template, parts)
        elif pulses[0].phase == Phase.COMMITTED:
            outcome = self._group.from_first(self._outcome)
            self._template = self._part = None
            return outcome
        return None

    def _outcome(self) -> SaveOutcome:
        if self._commit is None:
            raise RuntimeError("rank 0 has not committed")
        return self._commit.result()

    def _write(self, template: Manifest, entries: Entries) -> _Part:
        name, rank = template.name, self._group.rank
        if self._settings.pointer == "early" and rank == 0:
            self._on_lanes(lambda store: catalog.write_pointer(store, name))
        self._points.hit("save.before_shard", name.step)
        data = shard.encode(entries, self._settings.format, template.samples)
        written = shard.decode(data, self._settings.format)
        parts = {key: d for key, d in state.digests(written).items() if key in entries}
        mine = Shard(shard_file(rank, template.world_size, self._settings.format), len(data), digest(data), parts)
        problems = self._on_lanes(lambda store: self._put(store, name, mine, data))
        self._points.hit("save.after_shard", name.step)
        return _Part(mine, tuple(problem if isinstance(problem, str) else "" for problem in problems))

    def _put(self, store: Store, name: Name, mine: Shard, data: bytes) -> None:
        key = name.key(mine.file)
        store.put(key, data)
        if self._settings.verify and digest(store.get(key)) != mine.sha256:
            raise CheckpointRejected(f"{store.url}: {key} reads differently from what was just stored")

    def _on_lanes(self, job: Callable[[Store], T]) -> list[T | str]:
        """Do a job in all stores at the same time; a store that fails or takes too long gives a sentence instead of a result."""
        futures = [lane.submit(job) for lane in self._lanes]
        wait(futures, timeout=self._settings.save_timeout_s)
        results: list[T | str] = []
        for lane, future in zip(self._lanes, futures, strict=True):
            if not future.done():
                results.append(f"{lane.store.url}: no answer within {self._settings.save_timeout_s:g} s")
            elif isinstance(error := future.exception(), _FAILURES):
                results.append(f"{'FENCED ' if isinstance(error, Fenced) else ''}{error}")
            else:
                results.append(future.result())
        return results

    def _commit_all(self, template: Manifest, parts: Sequence[_Part]) -> SaveOutcome:
        whole = {name: d for part in parts for name, d in part.shard.entries.items()}
        found = state.state_digest(whole, template.step, template.samples)
        manifest = replace(template, state_digest=found, shards=tuple(part.shard for part in parts))
        missing = {
            lane.store.url: "; ".join(f"rank {rank}: {part.problems[i]}" for rank, part in enumerate(parts) if part.problems[i])
            for i, lane in enumerate(self._lanes)
        }
        results = self._on_lanes(lambda store: self._commit_to(store, manifest, missing[store.url]))
        outcomes = tuple(_store_outcome(lane.store.url, result) for lane, result in zip(self._lanes, results, strict=True))
        fenced = next((o.problem.removeprefix("FENCED ") for o in outcomes if o.problem.startswith("FENCED ")), "")
        return SaveOutcome(manifest.name, outcomes, time.monotonic() - self._begun, found, fenced)

    def _commit_to(self, store: Store, manifest: Manifest, missing: str) -> Collected:
        settings, hit = self._settings, self._points.hit
        if missing:
            raise StoreUnavailable(missing)
        if settings.fencing:
            fence.check(store, self._attempt, settings.run_id, settings.owner)
        hit("save.before_manifest", manifest.step)
        if settings.format == "sealed":
            store.put(manifest.name.key(MANIFEST), manifest.encode())
        hit("save.after_manifest", manifest.step)
        if settings.pointer == "after":
            catalog.write_pointer(store, manifest.name)
        return collect(store, settings.run_id, settings.keep, form=settings.format, verify=settings.verify, hit=hit)


def _store_outcome(url: str, result: Collected | str) -> StoreOutcome:
    if isinstance(result, str):
        return StoreOutcome(url, result)
    newest = max(((m.step, m.created_ns) for m in result.verified), default=None)
    return StoreOutcome(url, "", newest, result.damaged, tuple(map(str, result.removed)))
