"""Chaos objects of Chaos Mesh that a run makes: what its journal says of one, how it is ended, and whether its end is true.

One is ended by its deletion. Its finalizer is the controller's, which takes it away when its daemon has undone the fault. Where that hangs,
the fault may still act: it is said with the controller's words, and nobody takes the finalizer away in its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial

from pydantic import ValidationError

from history.errors import UndoFailed
from history.plan import ResolvedTarget
from history.values import FrozenModel
from kube import plain_objects
from kube.chaos_mesh import chaos
from kube.client import Platform, unless, unless_forbidden, unless_gone
from kube.proxy import first_port, reaches
from kube.wait import until_clear
from safety.undo_journal import Undo, UndoKind
from target.job_kinds.kind import Plain, Resource

GONE_S = 20.0  # for the controller and its daemon: a daemon undoes the rules of a network one command at a time
PAUSE_S = 0.5
ASK_S = 2.0
HANGS = (
    "its fault may still act, and its finalizer is not taken away by force; see that the controller and the daemon of Chaos Mesh on that "
    "pod's node are ready, then: make heal, or python -m runner heal --target FILE"
)


class OfPod(FrozenModel):
    """The detail of a journal entry of kind DELETE_CHAOS: the object's kind in the plural, and the one pod that it acts on, if known."""

    plural: str
    pod: str = ""
    namespace: str = ""
    uid: str = ""


def name_of(run_id: str, target: ResolvedTarget) -> str:
    """Return the name of the chaos object of a run for one target."""
    return "aftershock-" + hashlib.sha256(f"{run_id} {target.kind} {target.uid}".encode()).hexdigest()[:12]


def detail_of(kind: Resource, target: ResolvedTarget) -> str:
    """Return the detail of the journal's entry of an object."""
    return OfPod(plural=kind.plural, pod=target.name, namespace=target.namespace or "", uid=target.uid or "").model_dump_json()


def chaos_objects(platform: Platform, labels: Mapping[str, str], run_label: str) -> list[Undo]:
    """Return how to end each chaos object with ``labels`` in the suite's namespace; ``activity`` is the value of ``run_label``.

    Of which pod one is, stands in the run's journal alone: nobody is asked whether that answers. An account that may not look gets none:
    it can't have made one. Raises ApiException.
    """
    namespace, selector = platform.target.suite.namespace, ",".join(f"{key}={value}" for key, value in labels.items())
    return [
        Undo(
            kind=UndoKind.DELETE_CHAOS,
            activity=str((found["metadata"].get("labels") or {}).get(run_label, "")),
            object=found["metadata"]["name"],
            namespace=namespace,
            detail=OfPod(plural=kind.plural).model_dump_json(),
            ends_by_ns=0,
        )
        for kind in (chaos.MADE if platform.region.chaos_mesh is not None else ())
        for found in unless_forbidden(partial(plain_objects.listed, platform, kind, namespace, selector), list[Plain]())
    ]


def end(platform: Platform, undo: Undo) -> str:
    """Delete a chaos object and wait until its controller lets it go; return what was done. One that is gone is no fault.

    Raises:
        UndoFailed: it is still there after 20 s, or the journal's entry cannot be read.
        ApiException: anything else.

    """
    with unless(404):
        plain_objects.delete(platform, _kind(undo), undo.namespace or "", undo.object)
    if left := until_clear(lambda: hangs(platform, undo), GONE_S, PAUSE_S):
        raise UndoFailed(f"{left}; {HANGS}")
    return f"{name_in_words(undo)}: gone"


def confirm(platform: Platform, undo: Undo) -> None:
    """Wait until nothing shows any more that a chaos object acts, for who heals without a run. Raises UndoFailed: it does after 20 s."""
    if left := until_clear(lambda: unconfirmed(platform, [undo]), GONE_S, PAUSE_S):
        raise UndoFailed(f"{'; '.join(left)}; look at the pod, then heal again")


def name_in_words(undo: Undo) -> str:
    """Return what an entry names: NetworkChaos aftershock/NAME. Raises UndoFailed: it cannot be read."""
    return f"{_kind(undo).kind} {undo.namespace}/{undo.object}"


def hangs(platform: Platform, undo: Undo) -> str:
    """Return that a chaos object is still there, in the controller's words; empty: it is gone. Raises ApiException, UndoFailed."""
    found = _read(platform, undo)
    if found is None:
        return ""
    meta = found["metadata"]
    held = ", ".join(meta.get("finalizers") or []) or "none"
    state = "it is being deleted" if meta.get("deletionTimestamp") else "nobody has deleted it"
    return f"{name_in_words(undo)}: {state} and is still there (finalizers: {held}; by its controller, {chaos.words(found)})"


def ended_by_others(platform: Platform, undo: Undo) -> str:
    """Return that somebody ended or paused a chaos object that is not undone; empty: nobody did. Raises ApiException, UndoFailed."""
    found = _read(platform, undo)
    meta = found["metadata"] if found is not None else {}
    if found is None:
        how = "was removed"
    elif meta.get("deletionTimestamp"):
        how = "is being removed"
    else:
        how = "is paused" if (meta.get("annotations") or {}).get(chaos.PAUSED) == "true" else ""
    return f"{name_in_words(undo)} {how}" if how else ""


def unconfirmed(platform: Platform, entries: Iterable[Undo]) -> list[str]:
    """Return what shows that chaos objects of these entries have not ended: they are there, or their pods do not answer.

    A pod that was replaced, or that names no port to ask, shows nothing. Raises ApiException, UndoFailed.
    """
    ours = [undo for undo in entries if undo.kind is UndoKind.DELETE_CHAOS]
    return [said for undo in ours if (said := hangs(platform, undo) or _still_cut(platform, undo))]


def _still_cut(platform: Platform, undo: Undo) -> str:
    of = _detail(undo)
    if of.plural != chaos.NETWORK.plural or not of.pod:
        return ""
    pod = unless_gone(lambda: platform.pod(of.pod, of.namespace))
    port = first_port(pod) if pod is not None and pod.metadata.uid == of.uid else None
    if pod is None or port is None or reaches(platform, pod, port, ASK_S):
        return ""
    return f"pod {of.namespace}/{of.pod}: its {chaos.NETWORK.kind} is gone, and it still does not answer the API server at port {port}"


def _read(platform: Platform, undo: Undo) -> Plain | None:
    return unless_gone(lambda: plain_objects.read(platform, _kind(undo), undo.namespace or "", undo.object))


def _kind(undo: Undo) -> Resource:
    found = chaos.of(_detail(undo).plural)
    if found is None:
        raise UndoFailed(f"chaos object {undo.object}: {_detail(undo).plural} is no kind that this version of the suite makes")
    return found


def _detail(undo: Undo) -> OfPod:
    try:
        return OfPod.model_validate_json(undo.detail)
    except ValidationError as error:
        said = f"the journal's entry of {undo.activity} cannot be read ({error.error_count()} mistakes)"
        raise UndoFailed(
            f"chaos object {undo.namespace}/{undo.object}: {said}; heal with the version of the suite that wrote it"
        ) from error
