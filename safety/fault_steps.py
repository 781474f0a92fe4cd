"""What every fault does before and after its effect: live run, targets still there, write ahead, wait for the effect."""

from __future__ import annotations

from types import ModuleType

from kubernetes.client import ApiClient

from history.clock import now_ns
from history.errors import FaultFailed
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.objects import Node, Pod
from kube.selection import still_there
from safety import active_run
from safety.active_run import ActiveRun
from safety.undo_journal import Undo, UndoKind


def begin() -> tuple[ActiveRun, list[ResolvedTarget], list[Pod | Node]]:
    """Return the live run, the targets of the activity being executed, and the objects behind them.

    Raises:
        TargetRefused: no live run, or no target was resolved for this activity.
        FaultFailed: a target is gone since preflight.

    """
    run = active_run.require()
    targets = run.targets_of()
    return run, targets, still_there(run.platform, targets)


def demand_count(role: str, targets: list[ResolvedTarget], count: int | None) -> None:
    """Raise FaultFailed: other than ``count`` targets were resolved (None: as many as there are)."""
    if count not in {None, len(targets)}:
        raise FaultFailed(f"role {role}: {len(targets)} targets were resolved, {count} are to be hit; resolve again")


def entry(
    run: ActiveRun, kind: UndoKind, obj: str, *, namespace: str | None = None, detail: str = "", lasts_s: float = 0.0, self_ends: str = ""
) -> Undo:
    """Return a journal entry of the activity being executed that ends ``lasts_s`` from now."""
    ends_by_ns = now_ns() + int(lasts_s * 1e9)
    return Undo(
        kind=kind,
        activity=run.activity,
        object=obj,
        namespace=namespace,
        detail=detail,
        ends_by_ns=ends_by_ns,
        self_ends=self_ends,
        bypass_pdb=run.bypass_pdb and kind is UndoKind.REPLACE_POD,
    )


def write_ahead(run: ActiveRun, targets: list[ResolvedTarget]) -> None:
    """Record the targets of a fault that needs no undo: each says itself what ends it. Raises FaultFailed."""
    for target in targets:
        run.journal.will_undo(entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, self_ends=target.ends))


def ended(run: ActiveRun, targets: list[ResolvedTarget]) -> None:
    """Stamp the end of a fault that is over as soon as it acted."""
    run.log.event(EventKind.FAULT_END, run.activity, how=", ".join(dict.fromkeys(target.ends for target in targets)))


def lend_client(module: ModuleType) -> None:
    """Let a module of chaosk8s use the live run's API client.

    Its own comes from process-wide configuration (whatever KUBECONFIG says), without time limits. With ours it reaches no cluster but
    the verified one. Outside a run it refuses.
    """

    def client_of_live_run(_secrets: object = None) -> ApiClient:
        return active_run.require().platform.api

    module.create_k8s_api_client = client_of_live_run  # type: ignore[attr-defined]  # the name that chaosk8s looks up
