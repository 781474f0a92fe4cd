"""Overwrite what a record lists with damaged content, as a client does that uploads rubbish, and restore it when the time is over.

    python -m workloads.storage.overwrite STORE --record KEY --kind KIND --seed N --for SECONDS --outcome FILE
    python -m workloads.storage.overwrite STORE --record KEY --undo --outcome FILE

The good content stays as an older version of its object (without versioning the bucket is refused). The procedure of
workloads/storage/restore.py finds it, also when this program is told to leave early. What that did is left in FILE, as JSON:
``{"said": sentence, "objects": […], "mb_per_s": …}``. ``--undo`` prints it: it ends the program that overwrites, and does the work of one
that was killed. After it nothing is overwritten any more (workloads/storage/takeover.py), and a second time changes nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from random import Random

from workloads.storage import damage
from workloads.storage.bucket import s3_store
from workloads.storage.errors import StorageError
from workloads.storage.restore import megabytes_per_s, restore_record, sentence, wanted_by_record
from workloads.storage.s3 import S3Store
from workloads.storage.takeover import damaging, undoing, write_outcome

LONGEST_S = 120.0
KINDS: dict[str, Callable[[bytes, Random], bytes]] = {
    "bit-flip": damage.flip_bit,
    "zeroed-page": damage.zero_page,
    "truncation": damage.truncate,
}


def overwrite(store: S3Store, record: str, kind: str, seed: int) -> None:
    """Upload each object that the record lists again, damaged. Raises StorageError."""
    rng = Random(seed)  # noqa: S311  places in files, not secrets
    for one in wanted_by_record(store, record):
        store.put(one.key, KINDS[kind](store.get(one.key), rng))


def put_back(store: S3Store, record: str, outcome: Path) -> None:
    """Restore all that the record lists, and leave in ``outcome`` what was done. Raises StorageError."""
    done = restore_record(store, record)
    said = "; ".join(sentence(one) for one in done)
    write_outcome(outcome, {"said": said, "objects": [asdict(one) for one in done], "mb_per_s": megabytes_per_s(done)})


def undo(url: str, record: str, outcome: Path) -> str:
    """End what is at work, restore what the record lists unless that was done, and return the outcome (JSON). Raises StorageError."""
    with undoing(outcome):
        if not outcome.exists():
            store = s3_store(url)
            store.preflight()
            put_back(store, record, outcome)
    return outcome.read_text()


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when all is good again; 1 if it could not be damaged or restored; 2 if it was refused before anything was touched."""
    parser = argparse.ArgumentParser(prog="python -m workloads.storage.overwrite", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("store", help="s3://bucket/prefix?endpoint=http://host:port")
    parser.add_argument("--record", required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), default="bit-flip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--for", dest="for_s", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--undo", action="store_true", help="end the program that overwrites, and restore")
    parser.add_argument("--outcome", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    if not 0 < options.for_s <= LONGEST_S:
        print(f"--for {options.for_s} is not above 0 and at most {LONGEST_S:g}", file=sys.stderr)
        return 2
    return _undo(options) if options.undo else _damage_and_restore(options)


def _undo(options: argparse.Namespace) -> int:
    try:
        print(undo(options.store, options.record, options.outcome))
    except StorageError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _damage_and_restore(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    touched = False
    try:
        store = s3_store(options.store)
        store.preflight()
        with damaging(options.outcome) as allowed:
            touched = allowed
            if allowed:
                _overwrite_for(store, options)
    except StorageError as error:
        print(error, file=sys.stderr)
        return 1 if touched else 2
    return 0


def _overwrite_for(store: S3Store, options: argparse.Namespace) -> None:
    try:
        overwrite(store, options.record, options.kind, options.seed)
        time.sleep(options.for_s)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it was told already, or is about to do what it would be told
        put_back(store, options.record, options.outcome)


if __name__ == "__main__":
    sys.exit(main())
