"""A controller that was scaled down: what the journal says of it, and how its former number of replicas is set again."""

from __future__ import annotations

from pydantic import ValidationError

from history.errors import UndoFailed
from history.values import FrozenModel
from kube.client import Platform, unless_gone
from kube.controllers.kinds import Reference
from kube.controllers.rolling import ROLLS
from kube.controllers.scaling import scale
from safety.undo_journal import Undo
from target.role import KINDS


class Rescaled(FrozenModel):
    """The detail of a journal entry of kind RESCALE: the controller's kind, and its replicas before the fault and with it."""

    kind: str
    was: int
    lowered: int


def rescale(platform: Platform, undo: Undo) -> str:
    """Set the former number of replicas again, unless somebody else has set another meanwhile; return what was done.

    Raises:
        UndoFailed: the journal's entry cannot be read.
        ApiException: the API server says no.

    """
    of = _detail(undo)
    reference = Reference(KINDS[of.kind].api_version, of.kind, undo.object)
    there = unless_gone(lambda: scale(platform, reference, undo.namespace or "", of.lowered, of.was))
    what = f"{reference} in namespace {undo.namespace}"
    if there is None:
        return f"{what}: it was removed; nothing to scale"
    if there != of.lowered:
        return f"{what}: it is to have {there} replicas, not the {of.lowered} of this run any more; left as it is"
    return f"{what}: {of.was} replicas again"


def _detail(undo: Undo) -> Rescaled:
    try:
        found = Rescaled.model_validate_json(undo.detail)
    except ValidationError as error:
        said = f"the journal's entry of {undo.activity} cannot be read ({error.error_count()} mistakes)"
        raise UndoFailed(f"{undo.namespace}/{undo.object}: {said}; heal with the version of the suite that wrote it") from error
    if found.kind not in ROLLS:
        raise UndoFailed(f"{undo.namespace}/{undo.object}: {found.kind} is no kind that this version of the suite scales")
    return found
