"""A whole zone lost: every node of it, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

from faults.nodes import TIMED, cordon_permissions, power_entry
from history.plan import ResolvedTarget
from kube import acting, cordoning, live, machines
from kube.clients import Platform
from kube.fault import Arguments, Permission, duration_s, fault
from kube.journal import UndoKind
from kube.select import choose, node_target, zones_hosting
from kube.undo import undo_all


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    machines.machines(platform.target)
    role, for_s = arguments["role"], duration_s("lose", arguments["for_s"])
    zones = zones_hosting(platform, role)
    zone = choose(sorted(zones), 1, rng, f"zones of role {role}")[0]
    effect = f"cordoned and power off for {for_s:g} s (all of {zone})"
    return [node_target(node, effect, TIMED.format(for_s=for_s)) for node in zones[zone]]


def _permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return [*cordon_permissions(platform), Permission("get", "leases", "coordination.k8s.io", "kube-node-lease")]


@fault(resolve=_resolve, permissions=_permissions, tier="node", lasts_s=lambda arguments: float(arguments["for_s"]))
def lose(role: str, for_s: float) -> dict[str, Any]:
    """Lose one zone that hosts ``role``: cordon every node of it (nothing new may land there), then cut the power of all at once.

    The machines come back by themselves after ``for_s``; the cordon lasts until the rollback :func:`recover`. Needs a machine driver.

    Raises:
        TargetRefused: no live run, or no machine driver.
        FaultFailed: the driver failed for a node.

    """
    run, targets, nodes = acting.begin()
    for target in targets:
        run.journal.will_undo(power_entry(run, target, for_s))
    ours = cordoning.write_ahead(run, nodes)
    run.fault_starts(targets)
    cordoning.cordon(run, ours)
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(lambda target: machines.power_off(run.platform.target, target.name, for_s), targets))
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s}


def recover() -> dict[str, Any]:
    """Rollback: power on and uncordon what :func:`lose` took. Nothing left to undo is success. Raises UndoFailed."""
    run = live.require()
    return {"undone": undo_all(run, {UndoKind.POWER_ON}) + undo_all(run, {UndoKind.UNCORDON})}
