"""What works against a run: somebody else reverts its fault, ends it early, replaces its targets, or reverts its undo."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from history.errors import AftershockError, TargetRefused
from history.plan import Phase, ResolvedTarget
from kube.client import Platform, api_errors, unless_gone
from kube.containers import said_of
from kube.lists.nodes import labels_of_nodes
from kube.objects import Node
from runner.stop import Condition
from safety.active_run import ActiveRun
from safety.chaos import ended_by_others
from safety.undo import CORDONED_BY
from safety.undo_journal import Undo, UndoKind

REVERTS = "a controller reverts the fault; pause it for the run"
ACTIVE = {Phase.CONFIRM, Phase.OBSERVE}  # the fault acts, and this run does not end it
EARLY = "the fault may have ended before its time, not by this run; find out who removes or evicts what is in the suite's namespace"


def interference(run: ActiveRun, phase: Callable[[], Phase]) -> Condition:
    """Return a condition that is met once somebody else reverts the fault, ends it early, or replaces what it was aimed at."""

    def met() -> tuple[str, str] | None:
        try:
            with api_errors("look who else changes the targets", TargetRefused):
                seen = [*_replaced(run.platform, run.all_targets()), *_reverted(run), *_ended_early(run, phase)]
        except AftershockError:
            return None  # the API server is away: nobody can tell
        return ("somebody else", seen[0]) if seen else None

    return met


def _replaced(platform: Platform, targets: list[ResolvedTarget]) -> list[str]:
    """Return the target nodes that were removed or made anew since preflight."""
    sentences = []
    hit = {target.node: target.uid for target in targets if target.kind != "Pod" and target.node}
    there = {node.metadata.name: node for node in labels_of_nodes(platform, hit)}
    for name, uid in hit.items():
        node = there.get(name)
        if node is None or node.metadata.uid != uid:
            what = "was removed from the cluster" if node is None else "was replaced by another of the same name"
            sentences.append(
                f"node {name} {what}, not by this run: node auto-repair or an autoscaler works against it; pause them for the run"
            )
    return sentences


def _reverted(run: ActiveRun) -> list[str]:
    """Return what this run set and has not undone itself, and is gone all the same."""
    return [sentence for undo in run.journal.entries() if not undo.done and (sentence := _uncordoned(run, undo))]


def _uncordoned(run: ActiveRun, undo: Undo) -> str:
    if undo.kind is not UndoKind.UNCORDON:
        return ""
    node = _node(run.platform, undo.object)
    ours = node is not None and (node.metadata.annotations or {}).get(CORDONED_BY) == undo.detail
    if node is None or not ours or node.spec.unschedulable:
        return ""
    return f"node {undo.object} was uncordoned while the run needs it cordoned, not by this run: {REVERTS}"  # who removes leaves no trace


def _ended_early(run: ActiveRun, phase: Callable[[], Phase]) -> list[str]:
    """Return fault pods and chaos objects that are gone although the fault should last; this run itself removes them only when it heals."""
    if phase() not in ACTIVE:
        return []
    entries = [undo for undo in run.journal.entries() if not undo.done]
    pods = [undo for undo in entries if undo.kind is UndoKind.DELETE_POD]
    sentences = [f"fault pod {undo.object} on {undo.detail} {what}: {EARLY}" for undo in pods if (what := _lost(run.platform, undo))]
    chaos = [undo for undo in entries if undo.kind is UndoKind.DELETE_CHAOS]
    sentences += [f"{what}: {EARLY}" for undo in chaos if (what := ended_by_others(run.platform, undo))]
    return sentences if phase() in ACTIVE else []  # healing may have begun between the journal and the pod


def _lost(platform: Platform, undo: Undo) -> str:
    pod = unless_gone(lambda: platform.pod(undo.object, undo.namespace or ""))
    if pod is None:
        return "was removed"
    if pod.metadata.deletion_timestamp is not None:
        return "is being removed"
    return f"failed ({said_of(pod)})" if pod.status.phase == "Failed" else ""


def cordoned_again(run: ActiveRun) -> dict[str, str]:
    """Return the nodes that somebody cordoned after this run had undone its own cordon: name -> a sentence.

    What others set is left to them: healing does not wait for it, and says so.

    Raises:
        AftershockError: the API server does not answer.

    """
    undone = {undo.object for undo in run.journal.entries() if undo.kind is UndoKind.UNCORDON and undo.done}
    with api_errors("look who else changes the targets", TargetRefused):
        nodes = {name: _node(run.platform, name) for name in sorted(undone)}
    return {
        name: f"node {name} was made schedulable by this run's undo and is cordoned again by {_cordoned_by(node)}: "
        "a controller reverts the undo; it is left as it is; pause the controller, then look at the node"
        for name, node in nodes.items()
        if node is not None and node.spec.unschedulable and CORDONED_BY not in (node.metadata.annotations or {})
    }


def _node(platform: Platform, name: str) -> Node | None:
    return unless_gone(lambda: platform.node(name))


def _cordoned_by(node: Node) -> str:
    """Return the field manager that cordoned a node."""
    writes = node.metadata.managed_fields or []
    cordons = [(write.time, write) for write in writes if write.time and "f:unschedulable" in (write.fields_v1 or {}).get("f:spec", {})]
    return str(max(cordons, key=itemgetter(0))[1].manager) if cordons else "somebody unknown"
