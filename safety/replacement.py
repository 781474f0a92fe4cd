"""Replacing a pod that carries an ephemeral container of a fault, which cannot be removed: as far as its disruption budgets allow.

Evicted is what budgets let go. What they do not is deleted only where the experiment allows it (``allow: {bypass_pdb: true}``) and all
other pods of the budget are Ready. A pod that stays although its container has ended carries a *residue*: said, no fault that is alive.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial

from kubernetes import client

from history.errors import UndoFailed
from kube import ephemeral
from kube.client import Platform, unless, unless_gone
from kube.disruption.budgets import Budget, budgets_of, never_allowed
from kube.disruption.eviction import controller_of, evict
from kube.objects import Pod
from safety.undo_journal import Undo, UndoKind

EVICT_S = 90.0  # a disruption budget may hold an eviction back for so long: until the engine that was hit is ready again
OURS = "aftershock-"  # how every ephemeral container of a fault begins


def replace_pod(platform: Platform, name: str, namespace: str, uid: str, *, bypass_pdb: bool = False) -> str:
    """Let the pod's controller replace it; return what was done, or why its ended container stays.

    Raises:
        UndoFailed: nobody would replace it, or a disruption budget holds it back for 90 s or for ever, and its container still acts.
        ApiException: the API server says something else.

    """
    pod = unless_gone(lambda: platform.pod(name, namespace))
    if pod is None or pod.metadata.uid != uid or pod.metadata.deletion_timestamp is not None:
        return f"pod {namespace}/{name}: already replaced"
    if controller_of(pod) is None:
        return _stays(platform, pod, "it has no controller that would make another")
    budgets = budgets_of(platform, pod)
    why = never_allowed(budgets)
    if not why:
        try:
            evict(platform, name, namespace, uid, time.monotonic() + EVICT_S)
        except UndoFailed as error:
            why = str(error)
        else:
            return f"pod {namespace}/{name}: evicted, its controller makes a new one"
    return _bypass(platform, pod, why) if bypass_pdb and _rest_is_ready(budgets) else _stays(platform, pod, why)


def residues(platform: Platform, entries: Iterable[Undo]) -> list[str]:
    """Return the pods that still carry an ended container of this run's faults, as sentences. Raises ApiException."""
    hit = [entry for entry in entries if entry.kind is UndoKind.REPLACE_POD and entry.done]
    pods = [(entry, unless_gone(partial(platform.pod, entry.object, entry.namespace or ""))) for entry in hit]
    return [
        f"residue: pod {entry.namespace}/{entry.object} keeps an ended ephemeral container, which does nothing; its next rollout removes it"
        for entry, pod in pods
        if pod is not None and pod.metadata.uid == entry.detail and pod.metadata.deletion_timestamp is None and _carries(pod)
    ]


def _carries(pod: Pod) -> bool:
    return any(one.name.startswith(OURS) for one in pod.spec.ephemeral_containers or [])


def _rest_is_ready(budgets: Sequence[Budget]) -> bool:
    """Tell whether all other pods of the budgets are Ready; not, if no budget could be read."""
    return bool(budgets) and all(one.others_ready for one in budgets)


def _bypass(platform: Platform, pod: Pod, why: str) -> str:
    exactly = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=pod.metadata.uid))
    with unless(404, 409):
        platform.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, body=exactly)
    return f"pod {pod.metadata.namespace}/{pod.metadata.name}: deleted, as allow: {{bypass_pdb: true}} says, all others being Ready ({why})"


def _stays(platform: Platform, pod: Pod, why: str) -> str:
    """Return that an ended container stays. Raises UndoFailed: it has not ended."""
    name, namespace = pod.metadata.name, pod.metadata.namespace
    now = unless_gone(lambda: platform.pod(name, namespace)) or pod
    if not _carries(now):
        return f"pod {namespace}/{name}: nothing was added to it, so nothing is to be replaced"
    if ephemeral.ended(now, OURS):
        return f"pod {namespace}/{name}: its ended ephemeral container stays, as residue: {why}"
    raise UndoFailed(
        f"pod {namespace}/{name}: {why}, and its ephemeral container has not ended by itself; look at it: kubectl describe pod; "
        "replace the pod by hand"
    )
