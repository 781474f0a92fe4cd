"""Overwrite what a record lists with damaged content, as a client does that uploads rubbish, and restore it when the time is over.

    python -m faults.node_agent.storage.training_data STORE --buckets FOLDER --record KEY --outcome FILE --kind KIND --seed N --for S
    python -m faults.node_agent.storage.training_data STORE --buckets FOLDER --record KEY --outcome FILE --undo

STORE is ``s3://bucket/prefix?endpoint=http://127.0.0.1:PORT``: the server, on the pod's loopback. The good content stays as an older
version of its object (a bucket without versions is refused, and so are more than 512 MiB in all). When the time is over, or when it is told
to end, it does what an operator would: it detects the damage by the record's digest, chooses the newest good version, copies it back inside
the server and verifies it; each step is timed. What that did is left in FILE (a path of the server's container, found by ``--buckets``), as
JSON:
``{"said": sentence, "objects": […], "mb_per_s": …}``. ``--undo`` prints it: it ends the program that overwrites, and does the work of one
that was killed (``--after S``: so long from now, unless somebody did before). After it nothing is overwritten any more (takeover.py), and a
second time changes nothing.

Its log is one JSON object a line. Exit status: 0 done, 2 usage, 3 refused, 4 not damaged or not restored; 143 told to end, and restored.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random

from faults.node_agent.node import Refused, say
from faults.node_agent.storage import damage
from faults.node_agent.storage.beside import StorageFailed, armed, parser_of, root_of, status_of
from faults.node_agent.storage.damage import is_safetensors
from faults.node_agent.storage.records import digest, files_of
from faults.node_agent.storage.s3 import Bucket
from faults.node_agent.storage.takeover import damaging, pass_by, standby, undoing, write_outcome

OTHER_NUMBERS = "other-numbers"
MOST_BYTES = 512 << 20  # of all objects together: they are held in memory, and have 15 s to be uploaded
KINDS: dict[str, Callable[[bytes, Random], bytes]] = {
    "bit-flip": damage.flip_bit,
    "zeroed-page": damage.zero_page,
    "truncation": damage.truncate,
    OTHER_NUMBERS: damage.other_numbers,
}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was found and done for one object; times in seconds, ``problem`` is None where nothing had to be done."""

    key: str
    problem: str | None
    version_id: str | None
    versions_read: int
    bytes: int
    detect_s: float
    choose_s: float
    restore_s: float
    verify_s: float

    @property
    def sentence(self) -> str:
        """Say what was found and done, for a person."""
        if self.problem is None:
            return f"{self.key}: good, left as it is ({self.bytes} bytes, {self.detect_s:.3f} s)"
        steps = f"detect {self.detect_s:.3f} s, choose {self.choose_s:.3f} s, restore {self.restore_s:.3f} s, verify {self.verify_s:.3f} s"
        return f"{self.key}: {self.problem}: version {self.version_id}, {self.bytes} bytes, {self.versions_read} versions read: {steps}"


def listed(bucket: Bucket, record: str) -> dict[str, str]:
    """Return the SHA-256 of each object that the record lists. Raises StorageFailed."""
    try:
        return files_of(bucket.get(record))
    except ValueError as error:
        raise StorageFailed(f"{bucket.url}: {record}: {error}; restore the record first") from error


def to_damage(bucket: Bucket, record: str, kind: str) -> dict[str, bytes]:
    """Return the content of each object that the record lists; under ``other-numbers`` of those that are safetensors files.

    Raises:
        Refused: they have more than MOST_BYTES together, or there is none.
        StorageFailed: the server does not work.

    """
    found, left = dict[str, bytes](), MOST_BYTES
    keys = sorted(listed(bucket, record))
    for key in keys:
        found[key] = bucket.get(key, most=left)
        left -= len(found[key])
        if left < 0:
            raise Refused(
                f"{bucket.url}: what {record} lists has more than {MOST_BYTES} bytes (counted up to {key}), expected no more, since it is "
                "held in memory beside the server; aim at a smaller set of files"
            )
    chosen = {key: content for key, content in found.items() if kind != OTHER_NUMBERS or is_safetensors(content)}
    if not chosen:
        raise Refused(f"{bucket.url}: {record} lists {', '.join(keys) or 'nothing'}, of which {kind} is for none; choose another kind")
    return chosen


def overwrite(bucket: Bucket, good: dict[str, bytes], kind: str, seed: int) -> None:
    """Upload each object of ``good`` again, damaged. Raises StorageFailed."""
    rng = Random(seed)  # noqa: S311  places in files, not secrets
    for key, content in good.items():
        try:
            damaged = KINDS[kind](content, rng)
        except ValueError as error:
            raise StorageFailed(f"{bucket.url}: {key}: {error}") from error
        bucket.put(key, damaged)


def restore(bucket: Bucket, key: str, sha256: str) -> Restored:
    """Detect, choose, restore and verify one object. Raises StorageFailed: no version is good, or the server does not work."""
    start = time.monotonic()
    found, size = _detect(bucket, key)
    detected = time.monotonic()
    if found == sha256:
        return Restored(key, None, None, 0, size, detected - start, 0.0, 0.0, 0.0)
    problem = f"SHA-256 {found[:12]}…, expected {sha256[:12]}…"
    version, read, size = _newest_good(bucket, key, sha256, problem)
    chosen = time.monotonic()
    bucket.copy_version(key, version)
    copied = time.monotonic()
    if digest(bucket.get(key)) != sha256:
        raise StorageFailed(f"{bucket.url}: {key} reads differently right after {version} was restored; check the server")
    verify_s = time.monotonic() - copied
    return Restored(key, problem, version, read, size, detected - start, chosen - detected, copied - chosen, verify_s)


def _detect(bucket: Bucket, key: str) -> tuple[str, int]:
    """Return digest and size (bytes) of what a client gets now."""
    content = bucket.get(key)
    return digest(content), len(content)


def _newest_good(bucket: Bucket, key: str, sha256: str, problem: str) -> tuple[str, int, int]:
    """Return the newest version with that digest, how many were read, and its size (bytes). Raises StorageFailed: there is none."""
    read = 0
    for read, version in enumerate(bucket.versions(key), start=1):
        if digest(content := bucket.get(key, version)) == sha256:
            return version, read, len(content)
    raise StorageFailed(f"{bucket.url}: {key} ({problem}): none of its {read} versions is good; restore it from a replica or make it anew")


def put_back(bucket: Bucket, record: str, outcome: Path) -> None:
    """Restore all that the record lists, and leave in ``outcome`` what was done. Raises StorageFailed."""
    done = [restore(bucket, key, sha256) for key, sha256 in sorted(listed(bucket, record).items())]
    again = [one for one in done if one.problem]
    took_s = sum(one.detect_s + one.choose_s + one.restore_s + one.verify_s for one in again)
    rate = sum(one.bytes for one in again) / took_s / 1e6 if took_s else None
    said = "; ".join(one.sentence for one in done)
    write_outcome(outcome, {"said": said, "objects": [asdict(one) for one in done], "mb_per_s": rate, "ended_ns": time.time_ns()})


def undo(bucket: Bucket, record: str, outcome: Path) -> str:
    """End what is at work, restore what the record lists unless that was done, and return the outcome (JSON).

    Raises:
        Refused: the bucket cannot be restored as it is.
        StorageFailed: the server does not work, or no version is good.

    """
    with undoing(outcome):
        if not outcome.exists():
            bucket.preflight()
            put_back(bucket, record, outcome)
    return outcome.read_text()


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks for; return the exit status."""
    parser = parser_of("faults.node_agent.storage.training_data", __doc__, KINDS)
    parser.add_argument("store", help="s3://bucket/prefix?endpoint=http://host:port")
    parser.add_argument("--record", required=True)
    parser.add_argument("--undo", action="store_true", help="end the program that overwrites, and restore")
    options = parser.parse_args(argv)
    return status_of(partial(_undo_now if options.undo else _damage_and_restore, options))


def _outcome(options: argparse.Namespace) -> Path:
    """Return where the outcome lies now: a server that was restarted meanwhile has another process. Raises Refused."""
    return Path(f"{root_of(options.buckets)}{options.outcome}")


def _undo_now(options: argparse.Namespace) -> None:
    bucket = Bucket(options.store)
    if options.after:
        standby(lambda: _outcome(options), options.after)
    print(undo(bucket, options.record, _outcome(options)), flush=True)


def _damage_and_restore(options: argparse.Namespace) -> None:
    bucket = Bucket(options.store)
    bucket.preflight()
    with damaging(_outcome(options)) as allowed:
        if not allowed:
            pass_by(_outcome(options))
            return
        good = _held(bucket, options)
        armed(f"{options.kind} in what {options.record} lists")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            overwrite(bucket, good, options.kind, options.seed)
            say(did="overwritten")
            time.sleep(options.for_s)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it was told already, or is about to do what it would be told
            put_back(bucket, options.record, _outcome(options))
    say(**json.loads(_outcome(options).read_text()))


def _held(bucket: Bucket, options: argparse.Namespace) -> dict[str, bytes]:
    """Return :func:`to_damage`; where that is refused, whoever undoes is told that there is nothing to do, and reads nothing so large."""
    try:
        return to_damage(bucket, options.record, options.kind)
    except Refused:
        nothing: dict[str, object] = {"said": "nothing was overwritten", "objects": [], "mb_per_s": None, "ended_ns": time.time_ns()}
        write_outcome(_outcome(options), nothing)
        raise


if __name__ == "__main__":
    sys.exit(main())
