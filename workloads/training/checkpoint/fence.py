"""One writer a run: every start takes the next number in each store, and an attempt that is no longer the newest may not commit."""

import json
import os
import time
from collections.abc import Sequence

from workloads.storage.errors import ObjectDamaged, ObjectMissing, StorageError, StoreUnavailable
from workloads.storage.store import Store
from workloads.training.checkpoint.manifest import attempt_key, parse_attempt, parse_key
from workloads.training.errors import Fenced, RunRefused

_TRIES = 20  # starts at the same moment


def newest_attempt(store: Store) -> int:
    """Return the highest number that was taken in this store, by its record or by a checkpoint of that attempt; 0 if there is none.

    A store that does not sync may lose the record in a power cut, and keep what was written after it; taken again, the number would stand
    for two attempts.
    """
    return max((n for key in store.listing() if (n := _attempt_of(key)) is not None), default=0)


def _attempt_of(key: str) -> int | None:
    found = parse_key(key)
    return found[0].attempt if found else parse_attempt(key)


def claim(stores: Sequence[Store], run_id: str, owner: str) -> int:
    """Take the next number in every store that answers, and return it.

    Raises RunRefused if the stores belong to another run, Fenced if another owner took over from this one, StorageError if no store took
    the claim.
    """
    attempt, record = 0, _record(run_id, owner)
    for _ in range(_TRIES):
        attempt = max(attempt, *(_highest(store, run_id, owner) for store in stores)) + 1
        if _create(stores, attempt, record):
            return attempt
    raise StoreUnavailable(
        f"{stores[0].url}: no attempt number could be taken in {_TRIES} tries, each was taken by someone else; look who writes there"
    )


def check(store: Store, attempt: int, run_id: str, owner: str) -> None:
    """Raise Fenced if a newer attempt has begun; a store that was out of reach at the start learns of this attempt now."""
    newest = newest_attempt(store)
    if newest > attempt:
        raise Fenced(f"{store.url}: attempt {newest} has taken this run over; attempt {attempt} writes nothing more")
    if newest < attempt:
        store.create(attempt_key(attempt), _record(run_id, owner))


def _highest(store: Store, run_id: str, owner: str) -> int:
    try:
        newest = newest_attempt(store)
        recorded = [n for key in store.listing("attempts/") if (n := parse_attempt(key)) is not None]
        if recorded:
            _check_owner(store, max(recorded), run_id, owner)
    except StoreUnavailable:
        return 0
    return newest


def _check_owner(store: Store, newest: int, run_id: str, owner: str) -> None:
    record = _read(store, newest)
    if record.get("run_id", run_id) != run_id:
        raise RunRefused(
            f"{store.url}: it holds run {record['run_id']!r}, this is run {run_id!r}; give each run an address (TRAIN_STORES) of its own"
        )
    if not owner or record.get("owner", owner) == owner:
        return
    if any(_read(store, n).get("owner") == owner for n in range(newest - 1, 0, -1)):
        raise Fenced(f"{store.url}: owner {record['owner']!r} has taken this run over from {owner!r}; only one of them may write")


def _record(run_id: str, owner: str) -> bytes:
    who = {"run_id": run_id, "owner": owner, "t_ns": time.time_ns(), "host": os.uname().nodename, "pid": os.getpid()}
    return json.dumps(who).encode()


def _read(store: Store, attempt: int) -> dict[str, str]:
    try:
        record = json.loads(store.get(attempt_key(attempt)))
    except (ObjectMissing, ObjectDamaged, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _create(stores: Sequence[Store], attempt: int, record: bytes) -> bool:
    taken, last = 0, None
    for store in stores:
        try:
            if not store.create(attempt_key(attempt), record):
                return False
            taken += 1
        except StorageError as error:
            last = error
    if last is not None and not taken:
        raise last
    return True
