"""Damage finished checkpoints where they lie, as a disk would that rots, and put their originals back.

    python -m faults.node_agent.storage.checkpoints damage FOLDER --buckets FOLDER --originals FOLDER --outcome FILE [--kind KIND] …
    python -m faults.node_agent.storage.checkpoints undo FOLDER --buckets FOLDER --originals FOLDER --outcome FILE

Paths are those of the server's container; ``--buckets`` is how the server is found (beside.py). FOLDER holds one job's checkpoints as
files. For its time, and no longer, ``damage`` changes one shard of every checkpoint that is the newest finished one. Before, it copies the
shard below the folder of originals, which stands on the same disk and outside the buckets, so that no loader and no client sees it.
``undo`` ends ``damage`` (takeover.py), writes every original back into its file, removes the originals, and says what it did. A second
time changes nothing. With ``--undo-after S`` ``damage`` does the same that long after its time, with ``--after S`` ``undo`` so long from
now, unless somebody did before.
Neither creates, renames or removes a file in FOLDER.

Its log is one JSON object a line. Exit status: 0 done, 2 usage, 3 refused, 4 not damaged or not restored.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from faults.node_agent.node import Refused, say
from faults.node_agent.storage import damage
from faults.node_agent.storage.beside import StorageFailed, armed, parser_of, root_of, status_of
from faults.node_agent.storage.durable import keep, write_into
from faults.node_agent.storage.records import digest, files_of
from faults.node_agent.storage.takeover import damaging, pass_by, standby, undoing, write_outcome

MANIFEST, GONE = "manifest.json", "gone"
POLL_S = 0.1
KINDS: dict[str, Callable[[bytes, bytes, Random], bytes]] = {
    "bit-flip": lambda data, _, rng: damage.flip_bit(data, rng),
    "zeroed-page": lambda data, _, rng: damage.zero_page(data, rng),
    "torn-write": damage.tear,
    "truncation": lambda data, _, rng: damage.truncate(data, rng),
    "stale-shard": lambda _, older, __: older,
}
"""From (content, the same file one checkpoint earlier, seeded randomness) to what is there instead."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie, as this program reaches them through the root of the server's process."""

    folder: Path
    originals: Path
    outcome: Path


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
        return files_of((checkpoint / MANIFEST).read_bytes())
    except (OSError, ValueError):
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
        OSError: the original cannot be kept; nothing is damaged.

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
        keep(originals / checkpoint.name / name, before)
        write_into(checkpoint / name, content)
    except (FileNotFoundError, ValueError):
        return None
    return Difference(checkpoint.name, name, files[name], digest(content))


def damage_newest(folder: Path, kind: str, seed: int, for_s: float, originals: Path) -> list[Difference]:
    """Damage whichever checkpoint is the newest finished one, each once, for ``for_s`` seconds. Raises OSError."""
    rng, done, deadline = Random(seed), dict[str, Difference](), time.monotonic() + for_s  # noqa: S311  places in files, not secrets
    while time.monotonic() < deadline:
        known = finished(folder)
        if known and known[-1].name not in done:
            found = hurt(known[-1], known[-2] if len(known) > 1 else None, kind, rng, originals)
            if found is not None:
                done[known[-1].name] = found
                say(damaged=f"{found.checkpoint}/{found.file}")
        time.sleep(POLL_S)
    return list(done.values())


def put_back(folder: Path, originals: Path) -> list[str]:
    """Write each original back into its file and remove the originals; return what was written.

    A checkpoint that was removed meanwhile, or whose manifest asks for something else by now, is left as it is.

    Raises:
        StorageFailed: a file still differs from its manifest, since its original is gone.
        OSError: the disk does not work.

    """
    kept = sorted(path for path in originals.glob("*/*") if not path.name.startswith("."))
    back = [path.relative_to(originals).as_posix() for path in kept if _put_back(folder / path.relative_to(originals), path.read_bytes())]
    if left := [f"{found.checkpoint}/{found.file}" for found in look(folder) if found.found != GONE]:
        raise StorageFailed(
            f"{folder}: {', '.join(left)} differs from its manifest, and {originals} holds no original of it; restore it from another store"
        )
    shutil.rmtree(originals, ignore_errors=True)
    return back


def _put_back(path: Path, original: bytes) -> bool:
    try:
        if recorded(path.parent).get(path.name, digest(original)) != digest(original) or path.read_bytes() == original:
            return False
        write_into(path, original)
    except FileNotFoundError:
        return False
    return True


def undo(places: Places) -> str:
    """End the damage, put back what it changed unless that was done, and return the outcome (JSON). Raises StorageFailed, OSError."""
    with undoing(places.outcome):
        if not places.outcome.exists():
            _undo(places)
    return places.outcome.read_text()


def _undo(places: Places) -> None:
    back = put_back(places.folder, places.originals)
    said = f"put back {', '.join(back)}" if back else "every checkpoint that is there was good already"
    write_outcome(places.outcome, {"said": said, "files": back})


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks for; return the exit status."""
    parser = parser_of("faults.node_agent.storage.checkpoints", __doc__, KINDS)
    parser.add_argument("action", choices=["damage", "undo"])
    parser.add_argument("folder")
    parser.add_argument("--originals", required=True, metavar="FOLDER", help="where what is damaged is kept as it was")
    parser.add_argument("--undo-after", type=float, metavar="S", help="undo so long after the damage, if nobody did before")
    options = parser.parse_args(argv)
    return status_of(partial(_damage if options.action == "damage" else _undo_now, options))


def _places(options: argparse.Namespace) -> Places:
    """Return where things lie now: a server that was restarted meanwhile has another process. Raises Refused."""
    root = root_of(options.buckets)
    return Places(*(Path(f"{root}{path}") for path in (options.folder, options.originals, options.outcome)))


def _undo_now(options: argparse.Namespace) -> None:
    if options.after:
        standby(lambda: _places(options).outcome, options.after)
    print(undo(_places(options)), flush=True)


def _damage(options: argparse.Namespace) -> None:
    places = _places(options)
    if not places.folder.is_dir():
        raise Refused(f"{options.folder}: no such folder, so there is no checkpoint yet; correct checkpoints under the role's object_store")
    with damaging(places.outcome) as allowed:
        if not allowed:
            pass_by(places.outcome)
            return
        armed(f"{options.kind} in each newest finished checkpoint")
        say(did="begun")
        try:
            damage_newest(places.folder, options.kind, options.seed, options.for_s, places.originals)
        finally:
            if options.undo_after is not None:
                time.sleep(options.undo_after)
                _undo(_places(options))
    say(**json.loads(_places(options).outcome.read_text()) if options.undo_after is not None else {"did": "ended"})


if __name__ == "__main__":
    sys.exit(main())
