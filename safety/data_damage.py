"""Damage to what a storage server holds: what the journal says of it, and its undo by a program in the server's container."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from history.errors import NoData, UndoFailed
from history.values import FrozenModel
from kube import container_exec
from kube.client import Platform
from safety.undo_journal import Undo
from target import reference_platform as storage

LIMIT_S = 60.0
PROGRAMS = frozenset({storage.OVERWRITE, storage.DAMAGE})
"""What a journal may ask for. Whoever can write a journal must not be able to run anything else with the rights of who undoes."""


class DataDamage(FrozenModel):
    """The detail of a journal entry of kind RESTORE_DATA."""

    container: str
    what: str  # was damaged
    good: str  # where its good version is
    program: str  # one of PROGRAMS; run in the container, it restores. A second time changes nothing
    arguments: tuple[str, ...]
    by_hand: str  # what a person can run beside the server, if the program cannot


def damage_of(undo: Undo) -> DataDamage:
    """Return what a journal entry says of damaged data. Raises UndoFailed: it is none that this version of the suite writes."""
    try:
        return DataDamage.model_validate_json(undo.detail)
    except ValidationError as error:
        raise UndoFailed(
            f"pod {undo.namespace}/{undo.object}: the journal's entry of {undo.activity} cannot be read ({error.error_count()} mistakes); "
            "heal with the version of the suite that wrote it"
        ) from error


def restore_data(platform: Platform, undo: Undo) -> dict[str, Any]:
    """Restore what an entry says was damaged; return what its program says: ``said``, a sentence, and more.

    Raises:
        UndoFailed: it is not known to be restored.

    """
    damage = damage_of(undo)
    namespace, pod = undo.namespace or "", undo.object
    if damage.program not in PROGRAMS or namespace not in platform.region.namespaces:
        raise UndoFailed(
            f"pod {namespace}/{pod}: the journal asks for the program {damage.program!r}, expected {sorted(PROGRAMS)} in a namespace of "
            f"target {platform.target.name}; who wrote this entry? Nothing was run"
        )
    line = storage.undo_command(damage.program, *damage.arguments)
    try:
        said = json.loads(container_exec.output_of(platform, pod, namespace, damage.container, ["sh", "-c", line], limit_s=LIMIT_S))
        return {"said": str(said["said"]), **said}
    except (NoData, ValueError, KeyError, TypeError) as error:
        raise UndoFailed(
            f"pod {namespace}/{pod}: not known to be restored ({damage.what}): {' '.join(str(error).split())}; good is {damage.good}; "
            f"when the server answers, run make heal, or run beside the server: {damage.by_hand}"
        ) from error
