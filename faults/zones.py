"""A whole zone lost: every node of it, at once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from faults.nodes import (
    CORDONED,
    LOST,
    LOST_NODE,
    SEEN,
    STAND_IN,
    TIMED,
    UNDONE,
    UNHEARD,
    cordon_permissions,
    lost_permissions,
    lost_target,
    take_down,
)
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.permissions import Permission
from kube.selection import choose, nodes_among, zones_hosting
from safety import active_run, cordoning, fault_steps
from safety.fault_spec import Arguments, Effect, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind


def _resolving(name: str, also: str) -> Callable[[Platform, Arguments, Random], list[ResolvedTarget]]:
    """Return the resolution of the fault ``name``, which does ``also`` this to each node."""

    def resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
        role, for_s = arguments["role"], duration_s(name, arguments["for_s"])
        zones = zones_hosting(platform, role)
        zone = choose(sorted(zones), 1, rng, f"zones of role {role}")[0]
        return [lost_target(platform, node, for_s, f"{also} (all of {zone})") for node in zones[zone]]

    return resolve


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return [*cordon_permissions(platform, arguments), *lost_permissions(platform, arguments)]


@fault(
    resolve=_resolving("lose", " and cordoned"),
    permissions=_permissions,
    tier="node",
    lasts_s=lasts_for_s,
    ends=f"{TIMED}; the cordon: {UNDONE}",
    undo=(UndoKind.POWER_ON, UndoKind.DELETE_POD, UndoKind.UNCORDON),
    evidence=("probes.nodes.cordoned", *SEEN),
    killed=KillTrial(on="nodes", lasting=(*CORDONED, *UNHEARD)),
    effect=Effect.NODE_LOST,
    displaces=True,
    fidelity=STAND_IN,
)
def lose(role: str, for_s: float) -> dict[str, object]:
    """Lose one zone that hosts ``role``: cordon every node of it (nothing new may land there), then cut the power of all at once.

    The machines come back by themselves after ``for_s`` seconds; the cordon lasts until the run heals. Where the target has
    no machine driver, fault pods silence the nodes, and the plan says so.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the driver, or the fault pod, failed for a node.

    """
    return _lose(role, for_s, cordoned=True)


@fault(
    resolve=_resolving("power_off", ""),
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
    """Cut the power of one zone that hosts ``role`` for ``for_s`` seconds, without a cordon: it is used again as soon as it is back.

    Otherwise as :func:`lose` (same errors).
    """
    return _lose(role, for_s, cordoned=False)


def _lose(role: str, for_s: float, *, cordoned: bool) -> dict[str, object]:
    run, targets, objects = fault_steps.begin()
    ours = cordoning.write_ahead(run, nodes_among(objects)) if cordoned else []
    mechanism = take_down(run, targets, for_s, ours)
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "mechanism": mechanism}


def recover() -> dict[str, object]:
    """Rollback: power on and uncordon what :func:`lose` or :func:`power_off` took. Nothing left to undo is success. Raises UndoFailed."""
    run = active_run.require()
    return {"undone": undo_all(run, LOST) + undo_all(run, {UndoKind.UNCORDON})}
