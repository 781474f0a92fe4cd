"""Point-in-time restore of damaged or deleted objects of a versioned bucket, as a timed procedure: detect, choose, restore, verify, resume.

    python -m workloads.storage.restore --store s3://bucket/prefix?endpoint=http://host:port --record data/dataset.json
    python -m workloads.storage.restore --store … --key model.safetensors --sha256 HEX
    python -m workloads.storage.restore --store … --key model.safetensors --before 2026-11-21T10:00:00+00:00
    python -m workloads.storage.restore --store … --record step-00000040.a0001/manifest.json -- COMMAND THAT RESUMES

What is good is known from a record, from a digest on the command line, or only from a time. A record is a sealed document whose body holds
``files: {name: {sha256, bytes}}``, names relative to the record's own folder: checkpoint manifests and data records are such.
Old versions are never removed, and an object that is good is not touched. Where no version is good and there is a ``--replica``, the object
is copied from there by rclone (workloads/storage/replicate.py), if it is good there.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from workloads.storage import replicate
from workloads.storage.bucket import s3_store
from workloads.storage.errors import ObjectDamaged, ObjectMissing, SealBroken, StorageError, StoreRefused
from workloads.storage.s3 import S3Store, Version
from workloads.storage.sealed import digest, unseal

REPLICA = "replica"  # in place of a version's id


class NoGoodVersion(StorageError):
    """No stored version of the object is what it should be."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an object must be: its digest, or the state of a point in time (then any content of that age is taken as good)."""

    key: str
    sha256: str | None = None
    before: datetime | None = None
    record: bool = False  # a sealed document proves itself

    def problem(self, content: bytes) -> str | None:
        """Why ``content`` is not what is wanted; None if it is."""
        if self.record:
            try:
                unseal(content)
            except SealBroken as error:
                return str(error)
        elif self.sha256 is not None and digest(content) != self.sha256:
            return f"SHA-256 {digest(content)[:12]}…, expected {self.sha256[:12]}…"
        return None


@dataclass(frozen=True, slots=True)
class Restored:
    """What was found and done for one object; times in seconds, ``problem`` is None where nothing had to be done."""

    key: str
    problem: str | None
    version_id: str | None
    stored: str | None
    versions_read: int
    bytes: int
    detect_s: float
    choose_s: float
    restore_s: float
    verify_s: float


@dataclass(frozen=True, slots=True)
class _Choice:
    """What an object is restored to: a version of its own, or (None) the replica's object."""

    version: Version | None
    content: bytes
    looked_at: int

    @property
    def where(self) -> str:
        return self.version.version_id if self.version else REPLICA


def restore(store: S3Store, wanted: Wanted, *, dry_run: bool = False, replica: str = "") -> Restored:
    """Detect, choose, restore and verify one object; raises NoGoodVersion if no version is good, StorageError as the store does."""
    start = time.monotonic()
    problem, size = _detect(store, wanted)
    detect_s = time.monotonic() - start
    if problem is None:
        return Restored(wanted.key, None, None, None, 0, size, detect_s, 0.0, 0.0, 0.0)
    start = time.monotonic()
    found = _choose(store, wanted, problem, replica)
    choose_s, start = time.monotonic() - start, time.monotonic()
    if not dry_run:
        _put_back(store, wanted.key, found, replica)
    restore_s, start = time.monotonic() - start, time.monotonic()
    if not dry_run and digest(store.get(wanted.key)) != digest(found.content):
        raise NoGoodVersion(f"{store.url}: {wanted.key} reads differently right after {found.where} was restored; check the server")
    verify_s = time.monotonic() - start
    stored = found.version.stored.isoformat() if found.version else None
    size = len(found.content)
    return Restored(wanted.key, problem, found.where, stored, found.looked_at, size, detect_s, choose_s, restore_s, verify_s)


def _put_back(store: S3Store, key: str, found: _Choice, replica: str) -> None:
    if found.version is None:
        replicate.copy(replica, store.address, key)
    else:
        store.copy_version(key, found.version.version_id)


def _detect(store: S3Store, wanted: Wanted) -> tuple[str | None, int]:
    if wanted.before is not None:
        current = next(iter(store.versions(wanted.key)), None)
        newer = current is None or current.deleted or current.stored > wanted.before
        return (f"is not of the time before {wanted.before.isoformat()}" if newer else None), current.bytes if current else 0
    try:
        content = store.get(wanted.key)
    except (ObjectMissing, ObjectDamaged) as error:
        return str(error), 0
    return wanted.problem(content), len(content)


def _choose(store: S3Store, wanted: Wanted, problem: str, replica: str) -> _Choice:
    looked_at = 0
    for version in store.versions(wanted.key):
        if version.deleted or (wanted.before is not None and version.stored > wanted.before):
            continue
        looked_at += 1
        try:
            content = store.get_version(version.key, version.version_id)
        except (ObjectDamaged, ObjectMissing):
            continue
        if wanted.problem(content) is None:
            return _Choice(version, content, looked_at)
    if replica and wanted.before is None and wanted.problem(content := s3_store(replica).get(wanted.key)) is None:
        return _Choice(None, content, looked_at)
    raise NoGoodVersion(
        f"{store.url}: {wanted.key} ({problem}): none of its {looked_at} versions is good; restore it from a replica or make it anew"
    )


def wanted_by_record(store: S3Store, key: str) -> list[Wanted]:
    """Read what the record at ``key`` says about the objects beside it; raises SealBroken or StoreRefused if it says nothing."""
    body = unseal(store.get(key)).body
    files = body.get("files")
    if not isinstance(files, dict) or not all(isinstance(f, dict) and "sha256" in f for f in files.values()):
        raise StoreRefused(f"{store.url}: {key} is no record: its body has no files with their sha256")
    folder = key.rpartition("/")[0]
    return [Wanted(f"{folder}/{name}" if folder else name, sha256=entry["sha256"]) for name, entry in sorted(files.items())]


def restore_record(store: S3Store, key: str, *, dry_run: bool = False, replica: str = "") -> list[Restored]:
    """Restore a record first, if it is damaged, and then everything that it lists."""
    first = restore(store, Wanted(key, record=True), dry_run=dry_run, replica=replica)
    if first.problem and dry_run:
        return [first]
    return [first] + [restore(store, wanted, dry_run=dry_run, replica=replica) for wanted in wanted_by_record(store, key)]


def megabytes_per_s(outcomes: list[Restored]) -> float | None:
    """Bytes restored over the time from detection to verification, in MB/s (10⁶ bytes); None where nothing was restored."""
    done = [o for o in outcomes if o.problem]
    took = sum(o.detect_s + o.choose_s + o.restore_s + o.verify_s for o in done)
    return sum(o.bytes for o in done) / took / 1e6 if done and took else None


def sentence(outcome: Restored) -> str:
    """Return what was found and done for one object, for a person."""
    if outcome.problem is None:
        return f"{outcome.key}: good, left as it is ({outcome.bytes} bytes, {outcome.detect_s:.3f} s)"
    source = "the replica's" if outcome.version_id == REPLICA else f"version {outcome.version_id} of {outcome.stored}"
    found = f"{source}, {outcome.bytes} bytes, {outcome.versions_read} versions read"
    steps = {"detect": outcome.detect_s, "choose": outcome.choose_s, "restore": outcome.restore_s, "verify": outcome.verify_s}
    times = ", ".join(f"{step} {seconds:.3f} s" for step, seconds in steps.items())
    return f"{outcome.key}: {outcome.problem}: {found}: {times}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workloads.storage.restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", required=True, metavar="URL", help="s3://bucket/prefix?endpoint=http://host:port")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--record", action="append", metavar="KEY", help="a sealed record; all that it lists is checked and restored")
    what.add_argument("--key", metavar="KEY", help="one object, with --sha256 or --before")
    parser.add_argument("--sha256", metavar="HEX", help="what the object must be")
    parser.add_argument("--before", type=_time, metavar="TIME", help="ISO 8601 with zone: the newest version that is not younger")
    parser.add_argument("--replica", default="", metavar="URL", help="where to take an object from if none of its versions is good")
    parser.add_argument("--dry-run", action="store_true", help="say what would be restored from which version; change nothing")
    parser.add_argument("--project", type=float, metavar="GIGABYTES", help="say how long this size would take at the measured rate")
    parser.add_argument("--json", action="store_true", help="the outcome as one JSON document")
    parser.add_argument("resume", nargs="*", metavar="-- COMMAND", help="run after a successful restore, timed")
    return parser


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _restore_all(options: argparse.Namespace) -> list[Restored]:
    store = s3_store(options.store)
    store.preflight()
    if options.record:
        return [
            outcome for key in options.record for outcome in restore_record(store, key, dry_run=options.dry_run, replica=options.replica)
        ]
    if not options.sha256 and not options.before:
        raise StoreRefused(f"--key {options.key}: nothing says what is good; add --sha256 or --before, or name a --record")
    return [restore(store, Wanted(options.key, options.sha256, options.before), dry_run=options.dry_run, replica=options.replica)]


def _report(options: argparse.Namespace, outcomes: list[Restored], resume_s: float | None) -> None:
    rate = megabytes_per_s(outcomes)
    projected = options.project * 1000 / rate if options.project and rate else None
    if options.json:
        print(json.dumps({"objects": [asdict(o) for o in outcomes], "mb_per_s": rate, "projected_s": projected, "resume_s": resume_s}))
        return
    print("\n".join(sentence(outcome) for outcome in outcomes))
    if rate:
        print(f"{rate:.1f} MB/s" + (f"; {options.project:g} GB would take {projected:.0f} s" if projected else ""))
    if resume_s is not None:
        print(f"resume {resume_s:.3f} s")


def main(argv: list[str] | None = None) -> int:
    """Exit code 0: all is good now; 1: something could not be restored or resumed; 2: refused before anything was touched."""
    options = _parser().parse_args(argv)
    try:
        outcomes = _restore_all(options)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, StoreRefused) else 1
    start, code = time.monotonic(), 0
    if options.resume and not options.dry_run:
        code = subprocess.run(options.resume, check=False).returncode
    _report(options, outcomes, time.monotonic() - start if options.resume else None)
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())
