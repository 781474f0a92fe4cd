"""Nodes: drained (planned), powered off or silent (lost).

A node is lost by the target's machine driver. Where there is none, a fault pod freezes its kubelet and cuts its network. To users and to
Kubernetes both look alike: nothing answers, nothing is closed. What differs: a silent node's processes and disk live on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import ENDS, FaultPod, by_fault_pod
from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube import machine_drivers
from kube.client import Platform, api_errors
from kube.disruption import budgets as disruption_budgets
from kube.disruption.budgets import held_for_ever
from kube.disruption.eviction import drain as evict_all
from kube.disruption.eviction import evictable, without_controller
from kube.objects import Named
from kube.permissions import Permission
from kube.selection import choose_node, node_target, nodes_among
from safety import active_run, cordoning, fault_steps
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments, Effect, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_confirmed import power_cut_detail
from safety.undo_journal import UndoKind

UNDONE = "healing; if the suite dies, the reaper in the cluster"
TIMED = "the machine driver powers it on after {for_s:g} s by itself"
SILENT = "kubelet frozen and network cut for {for_s:g} s by a fault pod"
FROZEN = "fault pod: kubelet frozen, network cut"
STAND_IN = "where the target has no machine driver, a fault pod freezes the kubelet and cuts the network: processes and disk live on"
SEEN = ("probes.nodes.powered_off",)
CORDONED, UNHEARD = ("probes.nodes.cordoned",), ("probes.nodes.silent",)
LOST_NODE = KillTrial(on="nodes", lasting=UNHEARD)
LOST = frozenset({UndoKind.POWER_ON, UndoKind.DELETE_POD})


def node_permissions(platform: Platform) -> list[Permission]:
    """Return what looking at nodes and at whose pods they run needs."""
    verbs = [("list", "nodes"), ("get", "nodes"), ("list", "pods")]
    instruments = [Permission("list", "pods", namespace=one.namespace) for one in platform.region.all_instruments]
    return [*(Permission(verb, resource) for verb, resource in verbs), *instruments]


def cordon_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    """Return what cordoning nodes and undoing it needs."""
    return [*node_permissions(platform), Permission("patch", "nodes")]


def _resolve_cordon(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return [node_target(choose_node(platform, arguments["role"], rng), "cordoned", UNDONE)]


@fault(
    resolve=_resolve_cordon,
    permissions=cordon_permissions,
    tier="node",
    ends=UNDONE,
    undo=(UndoKind.UNCORDON,),
    evidence=("probes.nodes.cordoned",),
    killed=KillTrial(on="nodes", lasting=CORDONED),
    graceful=True,
    instead_of=("cordon_node",),
)
def cordon(role: str) -> dict[str, object]:
    """Cordon one node that hosts ``role``: nothing new may land on it, what runs there stays. By itself no outage.

    It lasts until the run heals.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the node could not be cordoned.

    """
    _, targets = _cordon()
    return {"targets": [target.name for target in targets], "role": role}


def _cordon() -> tuple[ActiveRun, list[ResolvedTarget]]:
    """Cordon the targets of the activity being executed, as far as nobody did so before."""
    run, targets, objects = fault_steps.begin()
    ours = cordoning.write_ahead(run, nodes_among(objects))
    run.fault_starts(targets)
    cordoning.cordon(run, ours)
    return run, targets


def _resolve_drain(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    node = choose_node(platform, arguments["role"], rng)
    with api_errors(f"list the pods of node {node.metadata.name} and their disruption budgets", TargetRefused):
        there = evictable(platform, node.metadata.name)
        bare, held = without_controller(there), held_for_ever(platform, there)
    if held:
        never = f"node {node.metadata.name}: no drain of it ever ends, an upgrade's neither"
        text = f"{never}: {'; '.join(held)}; let the budget allow a disruption"
        raise TargetRefused(text, (f"{text}; not tested",))
    if bare:
        raise TargetRefused(f"node {node.metadata.name}: nobody would make {', '.join(bare)} again after a drain; remove them or own them")
    return [node_target(node, "cordoned and drained", UNDONE)]


def _drain_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return [*cordon_permissions(platform, arguments), Permission("create", "pods/eviction"), disruption_budgets.permission(None)]


@fault(
    resolve=_resolve_drain,
    permissions=_drain_permissions,
    tier="node",
    ends=UNDONE,
    undo=(UndoKind.UNCORDON,),
    evidence=("probes.nodes.drained", "probes.nodes.cordoned"),
    killed=KillTrial(on="nodes", lasting=CORDONED),
    graceful=True,
    displaces=True,
    instead_of=("drain_nodes",),
)
def drain(role: str, timeout_s: float = 120.0) -> dict[str, object]:
    """Cordon and drain one node that hosts ``role``, as an upgrade does: evictions honour disruption budgets, DaemonSet pods stay.

    It returns when every evicted pod has ended, and lasts until the run heals.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a disruption budget held an eviction back, or a pod did not end, within ``timeout_s`` (s).

    """
    run, targets = _cordon()
    evicted = [name for target in targets for name in evict_all(run.platform, target.name, timeout_s)]
    return {"targets": [target.name for target in targets], "role": role, "evicted": evicted}


def _resolve_lost(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    for_s = duration_s("power_off", arguments["for_s"])
    return [lost_target(platform, choose_node(platform, arguments["role"], rng), for_s)]


def lost_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what losing nodes needs: seeing them, and fault pods where no machine driver does it."""
    return _seen_permissions(platform) if platform.region.machines else _silence_permissions(platform, arguments)


def _seen_permissions(platform: Platform) -> list[Permission]:
    return [*node_permissions(platform), Permission("get", "leases", "coordination.k8s.io", "kube-node-lease")]


def _silence_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return [*_seen_permissions(platform), *fault_pod.permissions(platform)]


def lost_target(platform: Platform, node: Named, for_s: float, why: str = "") -> ResolvedTarget:
    """Return a node as a target that is to be lost; its effect says by which mechanism."""
    if platform.region.machines:
        return node_target(node, f"power off for {for_s:g} s{why}", TIMED.format(for_s=for_s))
    return node_target(node, f"{SILENT.format(for_s=for_s)}{why}, since the target has no machine driver", ENDS.format(for_s=for_s))


def take_down(run: ActiveRun, targets: list[ResolvedTarget], for_s: float, cordoned: Sequence[str] = ()) -> str:
    """Lose all target nodes at once and cordon those named ``cordoned``; return by which mechanism. Raises FaultFailed."""
    if run.platform.region.machines is None:
        _freeze(run, targets, for_s)
        cordoning.cordon(run, cordoned)
        return FROZEN
    cut, ends = power_cut_detail(run.platform), TIMED.format(for_s=for_s)
    for target in targets:
        run.journal.will_undo(fault_steps.entry(run, UndoKind.POWER_ON, target.name, detail=cut, lasts_s=for_s, self_ends=ends))
    run.fault_starts(targets)
    cordoning.cordon(run, cordoned)
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(lambda target: machine_drivers.power_off(run.platform, target.name, for_s), targets))
    return "machine driver"


def _freeze(run: ActiveRun, targets: list[ResolvedTarget], for_s: float) -> None:
    fault_pod.inject(run, targets, [FaultPod(target, target.name, ("silence",), for_s, heard=False) for target in targets])


@fault(
    resolve=_resolve_lost,
    permissions=lost_permissions,
    tier="node",
    lasts_s=lasts_for_s,
    ends=TIMED,
    undo=(UndoKind.POWER_ON, UndoKind.DELETE_POD),
    evidence=SEEN,
    killed=LOST_NODE,
    effect=Effect.NODE_LOST,
    displaces=True,
    fidelity=STAND_IN,
)
def power_off(role: str, for_s: float) -> dict[str, object]:
    """Cut the power of one node that hosts ``role``: nothing is flushed, nothing says goodbye.

    It comes back by itself after ``for_s`` seconds. The machine driver of the target file does it, in place of a BMC. Where there is none,
    a fault pod does it as in :func:`silence`, and the plan says so.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the driver failed, or the fault pod was not admitted, did not start, or refused.

    """
    run, targets, _ = fault_steps.begin()
    mechanism = take_down(run, targets, for_s)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "mechanism": mechanism}


def _resolve_silence(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    for_s = duration_s("silence", arguments["for_s"])
    return [node_target(choose_node(platform, arguments["role"], rng), SILENT.format(for_s=for_s), ENDS.format(for_s=for_s))]


@by_fault_pod(
    resolve=_resolve_silence,
    permissions=_silence_permissions,
    ends=f"{ENDS}; nobody can tell a silent node to speak before",
    evidence=SEEN,
    killed=LOST_NODE,
    effect=Effect.NODE_LOST,
    displaces=True,
)
def silence(role: str, for_s: float) -> dict[str, object]:
    """Let one node that hosts ``role`` fall silent for ``for_s`` seconds: its kubelet is frozen and all its packets are dropped.

    A machine that hangs, or lost its switch port, looks like this. Mechanism: a fault pod. It ends by itself, and not before: nobody can
    tell a silent node to speak again.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the fault pod was not admitted, did not start, or refused.

    """
    run, targets, _ = fault_steps.begin()
    _freeze(run, targets, for_s)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "mechanism": FROZEN}


def uncordon() -> dict[str, object]:
    """Rollback: uncordon the nodes that this run cordoned. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.UNCORDON})}


def power_on() -> dict[str, object]:
    """Rollback: power on the nodes that this run powered off, remove its fault pods. Nothing left is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), LOST)}
