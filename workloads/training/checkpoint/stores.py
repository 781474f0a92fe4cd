"""The stores of a run: opened from its settings, and waited for."""

from collections.abc import Sequence

from workloads.storage.errors import StorageError, StoreUnavailable
from workloads.storage.store import Store, once_available, open_store
from workloads.training.checkpoint.manifest import MANIFEST, parse_key
from workloads.training.errors import RunRefused
from workloads.training.failpoints import Failpoints
from workloads.training.settings import Settings


def open_stores(settings: Settings, points: Failpoints) -> list[Store]:
    """Open every store of the settings; raises RunRefused if there is none, StoreRefused for an address that cannot be one."""
    if not settings.stores:
        raise RunRefused("TRAIN_STORES: it names no store; give at least one address")

    def before_rename(key: str) -> None:
        if (parsed := parse_key(key)) and parsed[1] == MANIFEST:
            points.hit("save.before_rename", parsed[0].step)

    return [open_store(url, fsync=settings.fsync, versioning=settings.versioning, before_rename=before_rename) for url in settings.stores]


def wait_for_a_store(stores: Sequence[Store], wait_s: float) -> None:
    """Return once a store answers; raises the last error, StoreRefused at once if no store can ever work."""
    once_available(lambda: _one_works(stores), wait_s)


def _one_works(stores: Sequence[Store]) -> None:
    errors: list[StorageError] = []
    for store in stores:
        try:
            return store.preflight()
        except StorageError as error:
            errors.append(error)
    outages = [error for error in errors if isinstance(error, StoreUnavailable)]
    raise (outages or errors)[-1]
