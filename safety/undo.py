"""Carrying out what the undo journal says: by a rollback, by ``heal``, by the reaper, each with the same words and the same effect.

Everything here is idempotent, restores what was, and leaves alone what others changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from history.clock import now_ns
from history.errors import AftershockError, UndoFailed
from history.reader import read_table
from history.schema import EventKind
from kube import control_plane, machine_drivers
from kube.client import Platform, api_errors, unless, unless_gone
from kube.reachable import answers
from kube.wait import until
from safety import chaos
from safety.active_run import ActiveRun
from safety.data_damage import restore_data
from safety.load_process import end_load
from safety.new_pods import let_in
from safety.replacement import replace_pod
from safety.rescaling import rescale
from safety.undo_journal import Undo, UndoKind

CORDONED_BY = "aftershock.dev/cordoned-by"  # annotation of a node that a run cordoned; its value is the run
PAUSE_S = 0.5
GONE_S = 10.0  # for a kubelet to end a fault pod: its grace, and then some


def undo_entry(platform: Platform, undo: Undo) -> str:
    """Undo one entry and return what was done.

    Raises:
        UndoFailed: it could not be undone; the sentence says what remains.

    """
    with api_errors(f"undo {undo.kind} {undo.object}", UndoFailed):
        match undo.kind:
            case UndoKind.UNCORDON:
                said = uncordon(platform, undo.object, undo.detail)
            case UndoKind.POWER_ON | UndoKind.REPAIR_GPU | UndoKind.START_CONTROL_PLANE:
                said = _by_driver(platform, undo)
            case UndoKind.DELETE_POD:
                said = delete_pod(platform, undo.object, undo.namespace or "")
            case UndoKind.DELETE_CHAOS | UndoKind.DELETE_WEBHOOK | UndoKind.DELETE_QUOTA:
                said = chaos.end(platform, undo) if undo.kind is UndoKind.DELETE_CHAOS else let_in(platform, undo)
            case UndoKind.REPLACE_POD:
                said = replace_pod(platform, undo.object, undo.namespace or "", undo.detail, bypass_pdb=undo.bypass_pdb)
            case UndoKind.RESTORE_DATA:
                said = f"pod {undo.namespace}/{undo.object}: {restore_data(platform, undo)['said']}"
            case UndoKind.RESCALE:
                said = rescale(platform, undo)
            case UndoKind.END_LOAD:
                said = end_load(undo)
            case UndoKind.NOTHING:
                said = f"{undo.object}: nothing to undo, {undo.self_ends or 'the platform repairs it'}"
        return said


def _by_driver(platform: Platform, undo: Undo) -> str:
    match undo.kind:
        case UndoKind.POWER_ON:
            machine_drivers.power_on(platform, undo.object)
            return f"node {undo.object}: power is on"
        case UndoKind.REPAIR_GPU:
            machine_drivers.repair_gpu(platform, undo.object, undo.detail)
            return f"node {undo.object}: GPU {undo.detail} is repaired"
        case _:
            machine_drivers.start_control_plane(platform, undo.object)
            return f"control plane: {undo.object} is started"


def undo_all(run: ActiveRun, kinds: Collection[UndoKind] | None = None) -> list[str]:
    """Undo what the run's journal still holds (of ``kinds``, or of any kind), latest first, and mark it; return what was done.

    Nothing left to undo is success: the reaper may have been here while the run could not reach the API server. Every entry is tried,
    even after one failed. The end of every fault that is undone is recorded, whoever undid it.

    Raises:
        UndoFailed: with what remains.

    """
    undone: list[tuple[Undo, str]] = []
    failed: list[str] = []
    entries = run.journal.entries()
    by_others = [(undo, f"undone by {undo.done_by}") for undo in entries if undo.done]
    for undo in reversed(entries):
        if undo.done or (kinds is not None and undo.kind not in kinds):
            continue
        try:
            undone.append((undo, undo_entry(run.platform, undo)))
            run.journal.undone(undo)
        except AftershockError as error:
            failed.append(str(error))
    _stamp_ends(run, by_others + undone)
    if failed:
        raise UndoFailed("; ".join(failed))
    return [said for _, said in undone]


def bring_back(run: ActiveRun) -> None:
    """Start again what the run's own faults stop of the control plane, if the API server does not answer: the journal lies behind it.

    Raises UndoFailed: the driver failed.
    """
    parts = [target.name for target in run.all_targets() if target.kind == control_plane.KIND]
    for part in parts if parts and not answers(run.platform) else ():
        machine_drivers.start_control_plane(run.platform, part)


def _stamp_ends(run: ActiveRun, undone: list[tuple[Undo, str]]) -> None:
    """Record the end of each fault whose end is not recorded yet: now, or when somebody else or the fault itself ended it."""
    events = read_table(run.run_dir, "events")
    recorded = set(events.filter(pl.col("kind") == EventKind.FAULT_END.value)["object"])
    for undo, said in undone:
        if undo.activity in recorded:
            continue
        recorded.add(undo.activity)
        ended_ns = min(undo.done_ns or now_ns(), now_ns())
        by_itself = bool(undo.self_ends) and undo.ends_by_ns < ended_ns
        t_ns, how = (undo.ends_by_ns, undo.self_ends) if by_itself else (ended_ns, said)
        run.log.event(EventKind.FAULT_END, undo.activity, t_ns=t_ns, how=how)


def cordon(platform: Platform, node: str, run_id: str) -> None:
    """Make ``node`` unschedulable and note on it which run did so. Raises ApiException."""
    body = {"metadata": {"annotations": {CORDONED_BY: run_id}}, "spec": {"unschedulable": True}}
    platform.core.patch_node(node, body)


def uncordon(platform: Platform, node: str, run_id: str) -> str:
    """Make ``node`` schedulable again if this run's cordon is still on it; return what was done. Raises ApiException."""
    found = unless_gone(lambda: platform.node(node))
    if found is None:
        return f"node {node}: it was removed from the cluster; nothing to uncordon"
    if (found.metadata.annotations or {}).get(CORDONED_BY) != run_id:
        return f"node {node}: this run's cordon is not on it any more; left as it is"
    was = found.spec.unschedulable
    body = {"metadata": {"annotations": {CORDONED_BY: None}}, "spec": {"unschedulable": None}}
    platform.core.patch_node(node, body)
    return f"node {node}: uncordoned" if was else f"node {node}: somebody uncordoned it before; our note was removed"


def delete_pod(platform: Platform, name: str, namespace: str) -> str:
    """Delete a fault pod and wait until its kubelet says that it is gone. Its program ends the fault on SIGTERM.

    Raises:
        UndoFailed: it is still there after 10 s; the kubelet of a silent node answers later, so ask again.
        ApiException: anything else.

    """
    with unless(404):
        platform.core.delete_namespaced_pod(name, namespace)
    if until(lambda: unless_gone(lambda: platform.pod(name, namespace)) is None, GONE_S, PAUSE_S):
        return f"pod {namespace}/{name}: gone"
    raise UndoFailed(f"pod {namespace}/{name}: deleted, but its kubelet has not ended it within {GONE_S:g} s; what it set ends by itself")
