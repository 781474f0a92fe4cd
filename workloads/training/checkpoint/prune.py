"""Makes room in a bucket: ``python -m workloads.training.checkpoint.prune --keep 50 --older-than 24 s3://training/runs?endpoint=…``.

Below the address each folder is a run. Those beyond the ``--keep`` newest that nobody has written to for ``--older-than`` hours are removed
for good with all their versions; a versioned bucket would grow for ever otherwise. Only what is a checkpoint, an attempt's record
or a pointer is removed; a folder that holds anything else is left whole, and named.
"""

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workloads.storage.bucket import s3_store
from workloads.storage.errors import StorageError, StoreRefused
from workloads.storage.s3 import S3Store, Version
from workloads.training.checkpoint.manifest import POINTER, parse_attempt, parse_key


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was done: runs removed, bytes freed, and runs that were left although they are old, because they hold foreign keys."""

    removed: tuple[str, ...]
    freed_bytes: int
    left: tuple[str, ...]


def prune(store: S3Store, keep: int, before: datetime) -> Pruned:
    """Remove the runs beyond the ``keep`` newest that were last written before that moment. Raises StorageError."""
    runs: dict[str, list[Version]] = defaultdict(list)
    for version in store.every_version():
        runs[version.key.partition("/")[0]].append(version)
    newest_first = sorted(runs, key=lambda run: max(v.stored for v in runs[run]), reverse=True)
    old = [run for run in newest_first[keep:] if max(v.stored for v in runs[run]) < before]
    left = [run for run in old if not all(ours(v.key.partition("/")[2]) for v in runs[run])]
    removed = [run for run in old if run not in left]
    for run in removed:
        for version in runs[run]:
            store.erase(version)
    return Pruned(tuple(removed), sum(v.bytes for run in removed for v in runs[run]), tuple(left))


def ours(key: str) -> bool:
    """Tell whether a key below a run's folder is of this program."""
    return key == POINTER or parse_attempt(key) is not None or parse_key(key) is not None


def main(argv: list[str] | None = None) -> int:
    """Prune every address; exit code 2 if one is refused, 1 if a server did not answer."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training.checkpoint.prune", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("urls", nargs="+", metavar="URL", help="s3://bucket/prefix?endpoint=http://host:port, a folder of runs")
    parser.add_argument("--keep", type=int, default=50, help="runs that stay in any case (default: %(default)s)")
    parser.add_argument("--older-than", type=float, default=24, metavar="HOURS", help="and those written since (default: %(default)s)")
    options = parser.parse_args(argv)
    if options.keep < 0 or options.older_than < 0:
        parser.error("--keep and --older-than: expected at least 0")
    try:
        for url in options.urls:
            done = prune(s3_store(url), options.keep, datetime.now(UTC) - timedelta(hours=options.older_than))
            print(f"{url}: {len(done.removed)} runs removed, {done.freed_bytes / 1e6:.1f} MB freed")
            for run in done.left:
                print(f"{url}: {run} is left: it holds files that are not of this program", file=sys.stderr)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, StoreRefused) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
