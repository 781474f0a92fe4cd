"""Cordoning nodes so that it can be undone exactly: a node that was cordoned before is left to who did it."""

from __future__ import annotations

from collections.abc import Sequence

from history.errors import FaultFailed
from kube.client import api_errors
from kube.objects import Node
from safety.active_run import ActiveRun
from safety.fault_steps import entry
from safety.undo import cordon as cordon_node
from safety.undo_journal import UndoKind

BEFORE = "it was cordoned before and stays so"


def write_ahead(run: ActiveRun, nodes: Sequence[Node]) -> list[str]:
    """Record how to undo the cordon of ``nodes``; return the names of those that are to be cordoned. Raises FaultFailed."""
    ours = [node.metadata.name for node in nodes if not node.spec.unschedulable]
    for node in nodes:
        name = node.metadata.name
        if name in ours:
            run.journal.will_undo(entry(run, UndoKind.UNCORDON, name, detail=run.plan.run_id))
        else:
            run.journal.will_undo(entry(run, UndoKind.NOTHING, name, self_ends=BEFORE))
    return ours


def cordon(run: ActiveRun, names: Sequence[str]) -> None:
    """Cordon the nodes ``names``. Raises FaultFailed."""
    for name in names:
        with api_errors(f"node {name}: cordon it", FaultFailed):
            cordon_node(run.platform, name, run.plan.run_id)
