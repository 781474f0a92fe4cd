"""Whether a run may start, and whether it is done already: looked at before torch is even loaded."""

import re

from workloads.storage.errors import StorageError, StoreRefused
from workloads.training.checkpoint.catalog import survey, verify_stored
from workloads.training.checkpoint.stores import open_stores
from workloads.training.errors import SettingsRefused, TrainingError
from workloads.training.failpoints import Failpoints
from workloads.training.settings import Settings
from workloads.training.telemetry.ledger import open_sink


def preflight(settings: Settings) -> list[str]:
    """Look whether the run may start, and return what to warn of.

    Raises RunRefused or StoreRefused if something has to be changed by a person first. A store that is wrong stops the first
    start only: a restart in the middle of a failure goes on with checkpoints that stand in another store. Nothing is changed.
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
