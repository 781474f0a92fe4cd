"""What a store holds of a run: its checkpoints, finished or not, what the pointer names, and files that are not ours."""

import json
from dataclasses import dataclass, field
from functools import partial

from workloads.storage.errors import ObjectDamaged, ObjectMissing
from workloads.storage.sealed import digest
from workloads.storage.store import Store
from workloads.training.checkpoint import manifest as names
from workloads.training.checkpoint.manifest import Manifest, Name, Shard
from workloads.training.errors import CheckpointRejected, RunRefused


@dataclass(frozen=True, slots=True)
class Found:
    """One checkpoint in a store: its manifest, or why there is none to go by. ``committed``: it was finished once, by all that is known."""

    name: Name
    files: tuple[str, ...]
    manifest: Manifest | None
    problem: str = ""
    committed: bool = True


@dataclass(frozen=True, slots=True)
class Catalog:
    """All checkpoints of a store, newest first; ``foreign`` are keys that are none of ours (they are never touched)."""

    checkpoints: tuple[Found, ...]
    pointer: Name | None
    attempts: tuple[int, ...] = ()
    foreign: tuple[str, ...] = field(default=())


def survey(store: Store, run_id: str, *, form: str = "sealed", verify: bool = True) -> Catalog:
    """Look through a store; raises RunRefused for another run's or a newer format's checkpoints, StorageError as the store does.

    What the pointer names is looked at even if the listing does not show it: a listing may be stale, or the newest checkpoint gone.
    """
    folders: dict[Name, list[str]] = {}
    attempts, foreign = [], []
    for key in store.listing():
        if parsed := names.parse_key(key):
            folders.setdefault(parsed[0], []).append(parsed[1])
        elif (attempt := names.parse_attempt(key)) is not None:
            attempts.append(attempt)
        elif key != names.POINTER:
            foreign.append(key)
    pointer = read_pointer(store)
    if pointer is not None:
        folders.setdefault(pointer, [])
    read = _implied if form == "torch" else partial(_sealed, store, known=pointer, verify=verify)
    found = [read(run_id, name, tuple(sorted(files))) for name, files in sorted(folders.items(), reverse=True)]
    return Catalog(tuple(found), pointer, tuple(sorted(attempts)), tuple(foreign))


def _implied(run_id: str, name: Name, files: tuple[str, ...]) -> Found:
    manifest = names.implied(name, files, run_id)
    return Found(name, files, manifest, "" if manifest else "not all shards are there", committed=manifest is not None)


def _sealed(store: Store, run_id: str, name: Name, files: tuple[str, ...], *, known: Name | None, verify: bool) -> Found:
    try:
        manifest = _read_manifest(store, run_id, name, verify=verify)
    except ObjectMissing:
        # the pointer moves only after the manifest: what it names was finished once
        finished = name == known
        what = (
            "its manifest is gone, though it was finished" if finished else "no manifest: its save did not finish, or the manifest is gone"
        )
        return Found(name, files, None, what if files else "it is gone, though it was finished", committed=finished)
    except (CheckpointRejected, ObjectDamaged) as error:
        return Found(name, files, None, str(error))
    except RunRefused as error:
        raise RunRefused(f"{store.url}: {name} is {error}; nothing was changed") from error
    return Found(name, files, manifest)


def _read_manifest(store: Store, run_id: str, name: Name, *, verify: bool) -> Manifest:
    manifest = names.decode(store.get(name.key(names.MANIFEST)), run_id, verify=verify)
    if verify and manifest.name != name:
        raise CheckpointRejected(f"manifest: it is the one of {manifest.name}")
    return manifest


def read_pointer(store: Store) -> Name | None:
    """Return what latest.json names; None if there is none or it cannot be read (it is only a hint)."""
    try:
        body = json.loads(store.get(names.POINTER))
        return Name(int(body["step"]), int(body["attempt"]))
    except (ObjectMissing, ObjectDamaged, ValueError, KeyError, TypeError):
        return None


def write_pointer(store: Store, name: Name) -> None:
    """Let latest.json name a checkpoint."""
    store.put(names.POINTER, json.dumps({"step": name.step, "attempt": name.attempt}).encode())


def read_shard(store: Store, manifest: Manifest, shard: Shard, *, verify: bool) -> bytes:
    """Return a shard's bytes, compared with the manifest's digest; raises CheckpointRejected."""
    try:
        data = store.get(manifest.name.key(shard.file))
    except (ObjectMissing, ObjectDamaged) as error:
        raise CheckpointRejected(f"{shard.file}: {error}") from error
    if verify and digest(data) != shard.sha256:
        raise CheckpointRejected(
            f"{shard.file}: {len(data)} bytes with SHA-256 {digest(data)[:12]}…, saved were {shard.bytes} bytes with {shard.sha256[:12]}…"
        )
    return data


def verify_stored(store: Store, manifest: Manifest) -> None:
    """Read every shard and compare it with its digest; raises CheckpointRejected."""
    for shard in manifest.shards:
        read_shard(store, manifest, shard, verify=True)
