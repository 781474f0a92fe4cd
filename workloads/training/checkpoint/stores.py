"""The stores of a run, and whether it may start with them: looked at before torch is even loaded."""

import re
import time
from collections.abc import Sequence

from workloads.storage.errors import StorageError, StoreRefused, StoreUnavailable
from workloads.storage.store import Store, open_store
from workloads.training.checkpoint.catalog import survey, verify_stored
from workloads.training.checkpoint.manifest import MANIFEST, parse_key
from workloads.training.errors import RunRefused, SettingsRefused, TrainingError
from workloads.training.failpoints import Failpoints
from workloads.training.settings import Settings
from workloads.training.telemetry.ledger import open_sink

_PATIENCE_S = 0.5


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
    deadline = time.monotonic() + wait_s
    while True:
        errors: list[StorageError] = []
        for store in stores:
            try:
                return store.preflight()
            except StorageError as error:
                errors.append(error)
        outages = [error for error in errors if isinstance(error, StoreUnavailable)]
        if not outages or time.monotonic() > deadline:
            raise (outages or errors)[-1]
        time.sleep(_PATIENCE_S)


def preflight(settings: Settings) -> list[str]:
    """Look whether the run may start, and return what to warn of.

    Raises RunRefused or StoreRefused if something has to be changed by a person first. A store that is wrong does not stop a run whose
    checkpoints stand in another one: the first start tells of a mistake, a restart in the middle of a failure goes on. Nothing is changed.
    """
    check_nodes(settings.nodes)
    open_sink(settings.ledger, settings.run_id)
    refused: list[StoreRefused] = []
    warnings: list[str] = []
    begun = False
    for store in open_stores(settings, Failpoints(settings.failpoints, settings.failpoint_folder)):
        try:
            store.preflight()
            catalog = survey(store, settings.run_id, form=settings.format, verify=settings.verify)
        except StoreRefused as error:
            refused.append(error)
        except StorageError as error:
            warnings.append(str(error))
        else:
            begun = begun or bool(catalog.attempts)
            warnings += [f"{store.url}: {len(catalog.foreign)} files are not of this program; they are left alone"] * bool(catalog.foreign)
    if refused and not begun:
        raise refused[0]
    return warnings + [str(error) for error in refused]


def finished(settings: Settings) -> str | None:
    """Return where the last step's checkpoint stands, verified; None if the run is not done.

    A pod that is started again after the others are done must not wait for them.
    """
    for store in open_stores(settings, Failpoints()):
        try:
            for found in survey(store, settings.run_id, form=settings.format, verify=settings.verify).checkpoints:
                if found.manifest is not None and found.name.step == settings.steps and settings.resume:
                    verify_stored(store, found.manifest)
                    return f"{store.url}: {found.name}"
        except (StorageError, TrainingError):
            continue
    return None


def check_nodes(nodes: str) -> None:
    """Raise SettingsRefused unless ``nodes`` is N or MIN:MAX of which no two disjoint sets can train."""
    match = re.fullmatch(r"([1-9]\d*)(?::([1-9]\d*))?", nodes)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high:
        raise SettingsRefused(f"TRAIN_NODES={nodes!r}: expected N or MIN:MAX")
    if low * 2 <= high:
        raise SettingsRefused(
            f"TRAIN_NODES={nodes!r}: with a minimum of half or less, two halves of a cut network could both train; raise MIN"
        )
