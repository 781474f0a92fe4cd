"""Would the platform allow the undo? Asked in preflight by a dry run of the eviction, against disruption budgets as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.disruption.budgets import refused_now
from kube.permissions import Permission
from kube.selection import read_pod
from runner.preflight.checks import Fault, Targets
from safety.undo_journal import UndoKind
from target.allow import Allow

BYPASS = "allow: {bypass_pdb: true}"


def bypassing(faults: Iterable[Fault], platform: Platform, allow: Allow) -> list[Permission]:
    """Return what deleting a pod needs that no budget lets be evicted, where the experiment allows that."""
    replacing = [fault for fault in faults if UndoKind.REPLACE_POD in fault.spec.undo] if allow.bypass_pdb else []
    return [Permission("delete", "pods", namespace=platform.target.role(fault.arguments["role"]).namespace) for fault in replacing]


def refused_undos(faults: Sequence[Fault], targets: Targets, platform: Platform, allow: Allow) -> list[str]:
    """Return for each pod that could not be evicted now what would become of it, as sentences.

    Raises TargetRefused: nobody can tell.
    """
    said = []
    hit = [one for fault in faults if UndoKind.REPLACE_POD in fault.spec.undo for one in targets.get(fault.action.name, [])]
    for target in hit:
        with api_errors(f"pod {target.namespace}/{target.name}: ask whether it could be evicted afterwards (dry run)", TargetRefused):
            pod = read_pod(platform, target)
            why = refused_now(platform, pod) if pod is not None else ""
        if why:
            said.append(f"undo: pod {target.namespace}/{target.name} could not be evicted now ({why}); {_then(allow)}")
    return said


def _then(allow: Allow) -> str:
    if allow.bypass_pdb:
        return f"if that stays so it is deleted instead, by {BYPASS}, provided that all other pods of the budget are Ready"
    return (
        "if that stays so its ended ephemeral container stays in it as residue, which does nothing and blocks nothing; let the budget "
        f"allow a disruption, or the experiment the deletion: {BYPASS}"
    )
