"""What a checkpoint says of itself, and how its objects are named.

step-00000040.a0003/shard-0-of-2.safetensors
step-00000040.a0003/shard-1-of-2.safetensors
step-00000040.a0003/manifest.json          written last: a checkpoint without it was never finished
latest.json                                names the newest; written after that
attempts/a0003.json                        who wrote, and when: each start of the run takes a number of its own
"""

import re
from dataclasses import dataclass
from typing import Any

from workloads.storage.errors import SealBroken
from workloads.storage.sealed import seal, unseal
from workloads.training.errors import CheckpointRejected, RunRefused

KIND, VERSION = "aftershock.checkpoint", 1
MANIFEST, POINTER = "manifest.json", "latest.json"
_FOLDER = re.compile(r"step-(\d{8})\.a(\d{4,})")
_SHARD = re.compile(r"shard-(\d+)-of-(\d+)\.(safetensors|pt)")
_ATTEMPT = re.compile(r"attempts/a(\d{4,})\.json")


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """The name of a checkpoint: newer ones are greater."""

    step: int
    attempt: int

    def __str__(self) -> str:
        return f"step-{self.step:08d}.a{self.attempt:04d}"

    def key(self, file: str) -> str:
        """Return the key of one of its files."""
        return f"{self}/{file}"


def parse_key(key: str) -> tuple[Name, str] | None:
    """Return name and file of a key that belongs to a checkpoint; None for anything else."""
    folder, _, file = key.partition("/")
    match = _FOLDER.fullmatch(folder)
    if match is None or not (file == MANIFEST or _SHARD.fullmatch(file)):
        return None
    return Name(int(match[1]), int(match[2])), file


def parse_attempt(key: str) -> int | None:
    """Return the number of an attempt's record; None for any other key."""
    match = _ATTEMPT.fullmatch(key)
    return int(match[1]) if match else None


def attempt_key(attempt: int) -> str:
    """Return where the record of an attempt stands."""
    return f"attempts/a{attempt:04d}.json"


def shard_file(rank: int, world: int, form: str) -> str:
    """Return the name of a rank's shard in the format ``sealed`` or ``torch``."""
    return f"shard-{rank}-of-{world}.{'pt' if form == 'torch' else 'safetensors'}"


def parse_shard(file: str) -> tuple[int, int] | None:
    """Return rank and world size of a shard's name; None for any other name."""
    match = _SHARD.fullmatch(file)
    return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Shard:
    """One rank's part: its file with size and SHA-256, and the digest of each entry in it. Without digests (format ``torch``): empty."""

    file: str
    bytes: int
    sha256: str
    entries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished checkpoint."""

    run_id: str
    step: int
    attempt: int
    samples: int  # position in the order of the data
    world_size: int
    created_ns: int
    model: dict[str, int]  # what has to fit for the entries to mean anything
    state_digest: str
    shards: tuple[Shard, ...]

    @property
    def name(self) -> Name:
        """The name under which it was saved."""
        return Name(self.step, self.attempt)

    def encode(self) -> bytes:
        """Return the sealed document; its ``files`` are what workloads.storage.restore reads."""
        body = {f: getattr(self, f) for f in ("run_id", "step", "attempt", "samples", "world_size", "created_ns", "model", "state_digest")}
        body["files"] = {s.file: {"bytes": s.bytes, "sha256": s.sha256, "entries": s.entries} for s in self.shards}
        return seal(KIND, VERSION, body)


def decode(data: bytes, run_id: str, *, verify: bool = True) -> Manifest:
    """Read a manifest.

    Raises CheckpointRejected if it is not what was written, RunRefused if it is of another run or of a newer version. Then whoever started
    this run is at the wrong place, and an older checkpoint would be the wrong answer.
    """
    try:
        document = unseal(data, verify=verify)
    except SealBroken as error:
        raise CheckpointRejected(f"manifest: {error}") from error
    if document.format != KIND:
        raise CheckpointRejected(f"manifest: it is a {document.format!r}, expected {KIND!r}")
    if document.version > VERSION:
        raise RunRefused(
            f"a checkpoint of format version {document.version}, this program knows up to {VERSION}; use the program that wrote it"
        )
    try:
        manifest = _manifest(document.body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointRejected(f"manifest: {type(error).__name__} {error}") from error
    if manifest.run_id != run_id:
        raise RunRefused(
            f"a checkpoint of run {manifest.run_id!r}, this is run {run_id!r}; give each run an address (TRAIN_STORES) of its own"
        )
    return manifest


def _manifest(body: dict[str, Any]) -> Manifest:
    shards = tuple(Shard(file, f["bytes"], f["sha256"], dict(f["entries"])) for file, f in sorted(body["files"].items()))
    numbers = {name: int(body[name]) for name in ("step", "attempt", "samples", "world_size", "created_ns")}
    model = {name: int(value) for name, value in body["model"].items()}
    return Manifest(run_id=str(body["run_id"]), model=model, state_digest=str(body["state_digest"]), shards=shards, **numbers)


def implied(name: Name, files: tuple[str, ...], run_id: str) -> Manifest | None:
    """Make up the manifest of a checkpoint in format ``torch`` from its files' names, with no digest; None unless all shards are there.

    A weakness to test with: nothing says what the files held, or from which step each one is. The data position is in the files.
    """
    ranks = {r: (file, w) for file in files if file.endswith(".pt") and (place := parse_shard(file)) for r, w in [place]}
    world = next((w for _, w in ranks.values()), 0)
    if not world or sorted(ranks) != list(range(world)):
        return None
    shards = tuple(Shard(file, 0, "", {}) for file, _ in ranks.values())
    return Manifest(run_id, name.step, name.attempt, -1, world, 0, {}, "", shards)
