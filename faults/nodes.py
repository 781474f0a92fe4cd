"""Nodes: drained (planned), powered off (lost)."""

from __future__ import annotations

from random import Random
from typing import Any

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import acting, cordoning, live, machines
from kube.clients import Platform, told
from kube.eviction import drain as evict_all
from kube.eviction import evictable, without_controller
from kube.fault import Arguments, Permission, duration_s, fault
from kube.journal import Undo, UndoKind
from kube.live import LiveRun
from kube.select import choose, node_target, nodes_hosting
from kube.settled import power_cut_detail
from kube.undo import undo_all

UNDONE = "the rollback; if the suite dies, the reaper in the cluster"
TIMED = "the machine driver powers it on after {for_s:g} s by itself"


def node_permissions(platform: Platform) -> list[Permission]:
    """Return what looking at nodes and at whose pods they run needs."""
    verbs = [("list", "nodes"), ("get", "nodes"), ("list", "pods")]
    instruments = [Permission("list", "pods", namespace=one.namespace) for one in platform.target.instruments]
    return [*(Permission(verb, resource) for verb, resource in verbs), *instruments]


def cordon_permissions(platform: Platform) -> list[Permission]:
    """Return what cordoning nodes and undoing it needs."""
    return [*node_permissions(platform), Permission("patch", "nodes")]


def _resolve_cordon(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role = arguments["role"]
    return [node_target(choose(nodes_hosting(platform, role), 1, rng, f"nodes of role {role}")[0], "cordoned", UNDONE)]


def _cordon_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return cordon_permissions(platform)


@fault(resolve=_resolve_cordon, permissions=_cordon_permissions, tier="node")
def cordon(role: str) -> dict[str, Any]:
    """Cordon one node that hosts ``role``: nothing new may land on it, what runs there stays. By itself no outage.

    It lasts until :func:`uncordon`.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the node could not be cordoned.

    """
    run, targets, nodes = acting.begin()
    ours = cordoning.write_ahead(run, nodes)
    run.fault_starts(targets)
    cordoning.cordon(run, ours)
    return {"targets": [target.name for target in targets], "role": role}


def _resolve_drain(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role = arguments["role"]
    node = choose(nodes_hosting(platform, role), 1, rng, f"nodes of role {role}")[0]
    with told(f"list the pods of node {node.metadata.name}", TargetRefused):
        bare = without_controller(evictable(platform, node.metadata.name))
    if bare:
        raise TargetRefused(f"node {node.metadata.name}: nobody would make {', '.join(bare)} again after a drain; remove them or own them")
    return [node_target(node, "cordoned and drained", UNDONE)]


def _drain_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return [*cordon_permissions(platform), Permission("create", "pods/eviction")]


@fault(resolve=_resolve_drain, permissions=_drain_permissions, tier="node")
def drain(role: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """Cordon and drain one node that hosts ``role``, as an upgrade does: evictions honour disruption budgets, DaemonSet pods stay.

    It lasts until :func:`uncordon`. It returns when every evicted pod has ended.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a disruption budget held an eviction back, or a pod did not end, within ``timeout_s``.

    """
    run, targets, nodes = acting.begin()
    ours = cordoning.write_ahead(run, nodes)
    run.fault_starts(targets)
    cordoning.cordon(run, ours)
    evicted = [name for target in targets for name in evict_all(run.platform, target.name, timeout_s)]
    return {"targets": [target.name for target in targets], "role": role, "evicted": evicted}


def _resolve_power_off(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    machines.machines(platform.target)
    role, for_s = arguments["role"], duration_s("power_off", arguments["for_s"])
    node = choose(nodes_hosting(platform, role), 1, rng, f"nodes of role {role}")[0]
    return [node_target(node, f"power off for {for_s:g} s", TIMED.format(for_s=for_s))]


def _power_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return [*node_permissions(platform), Permission("get", "leases", "coordination.k8s.io", "kube-node-lease")]


@fault(resolve=_resolve_power_off, permissions=_power_permissions, tier="node", lasts_s=lambda arguments: float(arguments["for_s"]))
def power_off(role: str, for_s: float) -> dict[str, Any]:
    """Cut the power of one node that hosts ``role``: nothing is flushed, nothing says goodbye; it comes back by itself after ``for_s``.

    Needs a machine driver (a BMC's place) in the target file.

    Raises:
        TargetRefused: no live run, or no machine driver.
        FaultFailed: the driver failed.

    """
    run, targets, _ = acting.begin()
    for target in targets:
        run.journal.will_undo(power_entry(run, target, for_s))
    run.fault_starts(targets)
    for target in targets:
        machines.power_off(run.platform.target, target.name, for_s)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s}


def power_entry(run: LiveRun, target: ResolvedTarget, for_s: float) -> Undo:
    """Return the journal's entry for a node whose power is about to be cut."""
    cut, ends = power_cut_detail(run.platform), TIMED.format(for_s=for_s)
    return acting.entry(run, UndoKind.POWER_ON, target.name, detail=cut, lasts_s=for_s, self_ends=ends)


def uncordon() -> dict[str, Any]:
    """Rollback: uncordon the nodes that this run cordoned. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(live.require(), {UndoKind.UNCORDON})}


def power_on() -> dict[str, Any]:
    """Rollback: power on the nodes that this run powered off. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(live.require(), {UndoKind.POWER_ON})}
