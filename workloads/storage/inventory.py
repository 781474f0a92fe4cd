"""What two stores hold, side by side: keys, sizes, SHA-256 of the bytes as they are read, and how much later the replica had them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from workloads.storage.errors import ObjectDamaged, ObjectMissing
from workloads.storage.s3 import S3Store
from workloads.storage.sealed import digest

UNREADABLE = "unreadable"  # the store itself noticed damage


@dataclass(frozen=True, slots=True)
class Entry:
    """One object's newest version: size in bytes, SHA-256 of what was read, and when it was stored by the store's own clock."""

    bytes: int
    sha256: str
    stored: datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a replica differs from its source.

    ``rpo_s`` is what would be lost if the source were gone at ``at`` (0: nothing): the age of the oldest object that the replica lacks or
    holds otherwise. ``lags_s``: of each object that is the same, seconds from the source's storing to the replica's, sorted.
    """

    at: datetime
    objects: int
    bytes: int
    missing: tuple[str, ...]
    differing: tuple[str, ...]
    extra: tuple[str, ...]
    rpo_s: float
    lags_s: tuple[float, ...]

    @property
    def equal(self) -> bool:
        """Whether the replica holds the same keys with the same bytes, and nothing else."""
        return not (self.missing or self.differing or self.extra)


def take(store: S3Store) -> dict[str, Entry]:
    """Read every object to the end; what the store calls damaged is an entry with UNREADABLE for a digest."""
    found = {key: _entry(store, key) for key in store.listing()}
    return {key: entry for key, entry in found.items() if entry is not None}


def _entry(store: S3Store, key: str) -> Entry | None:
    newest = next(iter(store.versions(key)), None)
    if newest is None or newest.deleted:
        return None  # deleted since the listing
    try:
        content = store.get(key)
    except ObjectDamaged:
        return Entry(newest.bytes, UNREADABLE, newest.stored)
    except ObjectMissing:
        return None
    return Entry(len(content), digest(content), newest.stored)


def compare(source: Mapping[str, Entry], replica: Mapping[str, Entry], at: datetime | None = None) -> Comparison:
    """Compare two inventories at a moment (default: now)."""
    at = at or datetime.now(UTC)
    missing = sorted(source.keys() - replica.keys())
    both = source.keys() & replica.keys()
    differing = sorted(key for key in both if _content(source[key]) != _content(replica[key]) or source[key].sha256 == UNREADABLE)
    lost = [source[key].stored for key in (*missing, *differing)]
    lags = sorted((replica[key].stored - source[key].stored).total_seconds() for key in both - set(differing))
    return Comparison(
        at=at,
        objects=len(source),
        bytes=sum(entry.bytes for entry in source.values()),
        missing=tuple(missing),
        differing=tuple(differing),
        extra=tuple(sorted(replica.keys() - source.keys())),
        rpo_s=max(0.0, (at - min(lost)).total_seconds()) if lost else 0.0,
        lags_s=tuple(lags),
    )


def _content(entry: Entry) -> tuple[int, str]:
    return entry.bytes, entry.sha256
