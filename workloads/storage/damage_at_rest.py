"""Damage finished checkpoints where they lie, as a disk would that rots or a client that overwrites: for tests of what depends on them.

    python -m workloads.storage.damage_at_rest damage FOLDER --kind KIND --seed N --for SECONDS
    python -m workloads.storage.damage_at_rest look FOLDER

FOLDER holds one run's checkpoints as files (a volume, or a bucket's folder below an S3 server). For its time, and no longer, ``damage``
changes one shard of every checkpoint that is the newest finished one; ``look`` prints, as JSON, which files differ from what their
manifest says. It never creates, renames or removes a file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from workloads.storage import damage
from workloads.storage.errors import SealBroken
from workloads.storage.sealed import digest, unseal

MANIFEST = "manifest.json"
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
            is_now = digest(path.read_bytes()) if path.is_file() else "gone"
            if is_now != sha256:
                found.append(Difference(checkpoint.name, name, sha256, is_now))
    return found


def hurt(checkpoint: Path, older: Path | None, kind: str, rng: Random) -> Difference | None:
    """Change one shard of a checkpoint in place; None if it is not there any more, or ``kind`` needs an older one and there is none."""
    files = recorded(checkpoint)
    if not files:
        return None
    name = rng.choice(sorted(files))
    try:
        before = (checkpoint / name).read_bytes()
        content = KINDS[kind](before, (older / name).read_bytes() if older else b"", rng)
        with (checkpoint / name).open("r+b") as file:  # the same file: what a server keeps beside it stays
            file.write(content)
            file.truncate()
    except (FileNotFoundError, ValueError):
        return None
    return Difference(checkpoint.name, name, files[name], digest(content))


def damage_newest(folder: Path, kind: str, seed: int, for_s: float) -> list[Difference]:
    """Damage whichever checkpoint is the newest finished one, each once, for ``for_s`` seconds."""
    rng, done, deadline = Random(seed), dict[str, Difference](), time.monotonic() + for_s  # noqa: S311  places in files, not secrets
    while time.monotonic() < deadline:
        known = finished(folder)
        if known and known[-1].name not in done:
            found = hurt(known[-1], known[-2] if len(known) > 1 else None, kind, rng)
            if found is not None:
                done[known[-1].name] = found
                print(json.dumps(_plain(found)), flush=True)
        time.sleep(POLL_S)
    return list(done.values())


def _plain(found: Difference) -> dict[str, str]:
    return {"checkpoint": found.checkpoint, "file": found.file, "recorded": found.recorded, "found": found.found}


def main(argv: list[str] | None = None) -> int:
    """Exit code 0; 2 if the folder is not there or a time is out of bounds."""
    parser = argparse.ArgumentParser(prog="python -m workloads.storage.damage_at_rest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=["damage", "look"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=sorted(KINDS), default="bit-flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--for", dest="for_s", type=float, default=5.0, metavar="SECONDS")
    options = parser.parse_args(argv)
    if not options.folder.is_dir() or not 0 < options.for_s <= LONGEST_S:
        print(f"{options.folder}: no such folder, or --for {options.for_s} is not above 0 and at most {LONGEST_S:g}", file=sys.stderr)
        return 2
    if options.action == "look":
        print(json.dumps([_plain(found) for found in look(options.folder)]))
    else:
        damage_newest(options.folder, options.kind, options.seed, options.for_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
