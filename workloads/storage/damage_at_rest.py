"""Damage finished checkpoints where they lie, as a disk would that rots or a client that overwrites: for tests of what depends on them.

    python -m workloads.storage.damage_at_rest damage FOLDER --kind KIND --seed N --for SECONDS --originals FOLDER --outcome FILE
    python -m workloads.storage.damage_at_rest look FOLDER
    python -m workloads.storage.damage_at_rest undo FOLDER --originals FOLDER --outcome FILE

FOLDER holds one run's checkpoints as files (a volume, or a bucket's folder below an S3 server). For its time, and no longer, ``damage``
changes one shard of every checkpoint that is the newest finished one. Before, it copies the shard below the folder of originals, which
stands on the same disk and outside FOLDER, so that no loader and no client sees it. ``look`` prints, as JSON, which files differ from what
their manifest says. ``undo`` ends ``damage`` (workloads/storage/takeover.py), writes every original back into its file, removes the
originals, and prints what it did. A second time changes nothing. With ``--undo-after SECONDS`` ``damage`` does the same that long after its
time. None of them creates, renames or removes a file in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from workloads.storage import damage
from workloads.storage.errors import SealBroken, StorageError, StoreUnavailable
from workloads.storage.folder import FolderStore
from workloads.storage.sealed import digest, unseal
from workloads.storage.takeover import damaging, undoing, write_outcome

MANIFEST, GONE = "manifest.json", "gone"
POLL_S, LONGEST_S = 0.1, 120.0
KINDS: dict[str, Callable[[bytes, bytes, Random], bytes]] = {
    "bit-flip": lambda data, _, rng: damage.flip_bit(data, rng),
    "zeroed-page": lambda data, _, rng: damage.zero_page(data, rng),
    "torn-write": damage.tear,
    "truncation": lambda data, _, rng: damage.truncate(data, rng),
    "stale-shard": lambda _, older, __: older,
}
"""From (content, the same file one checkpoint earlier, seeded randomness) to what is there instead."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not what its manifest says."""

    checkpoint: str
    file: str
    recorded: str
    found: str


def finished(folder: Path) -> list[Path]:
    """Return the folders of finished checkpoints, oldest first: those with a manifest."""
    return sorted(path.parent for path in folder.glob(f"step-*/{MANIFEST}"))


def recorded(checkpoint: Path) -> dict[str, str]:
    """Return the SHA-256 of each file as the manifest says; empty if there is none to go by."""
    try:
        files = unseal((checkpoint / MANIFEST).read_bytes()).body["files"]
        return {name: str(entry["sha256"]) for name, entry in files.items()}
    except (OSError, SealBroken, KeyError, TypeError):
        return {}


def look(folder: Path) -> list[Difference]:
    """Compare every file of every finished checkpoint with its manifest."""
    found = []
    for checkpoint in finished(folder):
        for name, sha256 in recorded(checkpoint).items():
            path = checkpoint / name
            is_now = digest(path.read_bytes()) if path.is_file() else GONE
            if is_now != sha256:
                found.append(Difference(checkpoint.name, name, sha256, is_now))
    return found


def hurt(checkpoint: Path, older: Path | None, kind: str, rng: Random, originals: Path) -> Difference | None:
    """Change one shard of a checkpoint in place, once its original is kept.

    None: the checkpoint is not there any more, the shard is damaged already, or ``kind`` needs an older one and there is none.

    Raises:
        StorageError: the original cannot be kept; nothing is damaged.

    """
    files = recorded(checkpoint)
    if not files:
        return None
    name = rng.choice(sorted(files))
    try:
        before = (checkpoint / name).read_bytes()
        content = KINDS[kind](before, (older / name).read_bytes() if older else b"", rng)
        if digest(before) != files[name]:
            return None
        originals.mkdir(parents=True, exist_ok=True)
        FolderStore(str(originals)).put(f"{checkpoint.name}/{name}", before)
        _write_into(checkpoint / name, content)
    except (FileNotFoundError, ValueError):
        return None
    return Difference(checkpoint.name, name, files[name], digest(content))


def _write_into(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:  # the same file: what a server keeps beside it stays
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def damage_newest(folder: Path, kind: str, seed: int, for_s: float, originals: Path) -> list[Difference]:
    """Damage whichever checkpoint is the newest finished one, each once, for ``for_s`` seconds. Raises StorageError."""
    rng, done, deadline = Random(seed), dict[str, Difference](), time.monotonic() + for_s  # noqa: S311  places in files, not secrets
    while time.monotonic() < deadline:
        known = finished(folder)
        if known and known[-1].name not in done:
            found = hurt(known[-1], known[-2] if len(known) > 1 else None, kind, rng, originals)
            if found is not None:
                done[known[-1].name] = found
                print(json.dumps(_plain(found)), flush=True)
        time.sleep(POLL_S)
    return list(done.values())


def put_back(folder: Path, originals: Path) -> list[str]:
    """Write each original back into its file and remove the originals; return what was written.

    A checkpoint that was removed meanwhile, or whose manifest asks for something else by now, is left as it is.

    Raises:
        StorageError: a file still differs from its manifest, since its original is gone; or the disk does not work.

    """
    kept = FolderStore(str(originals))
    keys = kept.listing() if originals.is_dir() else []
    back = [key for key in keys if _put_back(folder, key, kept.get(key))]
    if left := [f"{found.checkpoint}/{found.file}" for found in look(folder) if found.found != GONE]:
        raise StoreUnavailable(
            f"{folder}: {', '.join(left)} differs from its manifest, and {originals} holds no original of it; "
            "restore it from another store: python -m workloads.storage.restore --record CHECKPOINT/manifest.json --replica URL"
        )
    shutil.rmtree(originals, ignore_errors=True)
    return back


def _put_back(folder: Path, key: str, original: bytes) -> bool:
    path = folder / key
    try:
        if recorded(path.parent).get(path.name, digest(original)) != digest(original) or path.read_bytes() == original:
            return False
        _write_into(path, original)
    except FileNotFoundError:
        return False
    return True


def undo(folder: Path, originals: Path, outcome: Path) -> str:
    """End the damage, put back what it changed unless that was done, and return the outcome (JSON). Raises StorageError."""
    with undoing(outcome):
        if not outcome.exists():
            _undo(folder, originals, outcome)
    return outcome.read_text()


def _undo(folder: Path, originals: Path, outcome: Path) -> None:
    back = put_back(folder, originals)
    said = f"put back {', '.join(back)}" if back else "every checkpoint that is there was good already"
    write_outcome(outcome, {"said": said, "files": back})


def _plain(found: Difference) -> dict[str, str]:
    return {"checkpoint": found.checkpoint, "file": found.file, "recorded": found.recorded, "found": found.found}


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 1 if something could not be damaged or put back; 2 if the folder is not there or an option is wrong."""
    parser = argparse.ArgumentParser(prog="python -m workloads.storage.damage_at_rest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=["damage", "look", "undo"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=sorted(KINDS), default="bit-flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--for", dest="for_s", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--originals", type=Path, metavar="FOLDER", help="where what is damaged is kept as it was")
    parser.add_argument("--outcome", type=Path, metavar="FILE", help="says that it was undone, and what that did")
    parser.add_argument("--undo-after", type=float, metavar="SECONDS", help="undo so long after the damage, if nobody did before")
    options = parser.parse_args(argv)
    if wrong := _wrong(options):
        print(wrong, file=sys.stderr)
        return 2
    try:
        _act(options)
    except (StorageError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _wrong(options: argparse.Namespace) -> str:
    if options.action != "look" and not (options.originals and options.outcome):
        return f"{options.action}: --originals and --outcome are needed"
    if options.action != "undo" and not options.folder.is_dir():  # a run's checkpoints may all have been removed since
        return f"{options.folder}: no such folder"
    return "" if 0 < options.for_s <= LONGEST_S else f"--for {options.for_s} is not above 0 and at most {LONGEST_S:g}"


def _act(options: argparse.Namespace) -> None:
    if options.action == "look":
        print(json.dumps([_plain(found) for found in look(options.folder)]))
    elif options.action == "undo":
        print(undo(options.folder, options.originals, options.outcome))
    else:
        with damaging(options.outcome) as allowed:
            if allowed:
                _damage(options)


def _damage(options: argparse.Namespace) -> None:
    try:
        damage_newest(options.folder, options.kind, options.seed, options.for_s, options.originals)
    finally:
        if options.undo_after is not None:
            time.sleep(options.undo_after)
            _undo(options.folder, options.originals, options.outcome)


if __name__ == "__main__":
    sys.exit(main())
