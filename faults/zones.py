"""A whole zone lost: every node of it, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

from faults import nodes
from faults.nodes import LOST, cordon_permissions, lost_permissions, lost_target, power_entry
from history.plan import ResolvedTarget
from kube import machine_drivers
from kube.client import Platform
from kube.permissions import Permission
from kube.selection import choose, nodes_among, zones_hosting
from safety import active_run, cordoning, fault_steps
from safety.fault_spec import Arguments, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return _targets(platform, arguments, rng, " and cordoned")


def _resolve_power(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return _targets(platform, arguments, rng, "")


def _targets(platform: Platform, arguments: Arguments, rng: Random, also: str) -> list[ResolvedTarget]:
    role, for_s = arguments["role"], duration_s("a zone", arguments["for_s"])
    zones = zones_hosting(platform, role)
    zone = choose(sorted(zones), 1, rng, f"zones of role {role}")[0]
    return [lost_target(platform, node, for_s, f"{also} (all of {zone})") for node in zones[zone]]


def _permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return [*cordon_permissions(platform), *lost_permissions(platform)]


def _power_permissions(platform: Platform, _arguments: Arguments) -> list[Permission]:
    return lost_permissions(platform)


@fault(resolve=_resolve, permissions=_permissions, tier="node", lasts_s=lasts_for_s, displaces=True)
def lose(role: str, for_s: float) -> dict[str, object]:
    """Lose one zone that hosts ``role``: cordon every node of it (nothing new may land there), then cut the power of all at once.

    The machines come back by themselves after ``for_s``; the cordon lasts until the rollback :func:`recover`. Where the target has no
    machine driver, fault pods silence the nodes, and the plan says so.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the driver, or the fault pod, failed for a node.

    """
    return _lose(role, for_s, cordoned=True)


@fault(resolve=_resolve_power, permissions=_power_permissions, tier="node", lasts_s=lasts_for_s, displaces=True)
def power_off(role: str, for_s: float) -> dict[str, object]:
    """Cut the power of one zone that hosts ``role``, as :func:`lose` does, without a cordon: it is used again as soon as it is back.

    Raises as :func:`lose`.
    """
    return _lose(role, for_s, cordoned=False)


def _lose(role: str, for_s: float, *, cordoned: bool) -> dict[str, object]:
    run, targets, objects = fault_steps.begin()
    ours = cordoning.write_ahead(run, nodes_among(objects)) if cordoned else []
    done: dict[str, object] = {"targets": [target.name for target in targets], "role": role, "for_s": for_s}
    if run.platform.target.machines is None:
        nodes.lose(run, targets, for_s)  # it stamps t_fault as it acts
        cordoning.cordon(run, ours)
        return done | {"mechanism": "fault pods"}
    for target in targets:
        run.journal.will_undo(power_entry(run, target, for_s))
    run.fault_starts(targets)
    cordoning.cordon(run, ours)
    with ThreadPoolExecutor(len(targets)) as pool:
        list(pool.map(lambda target: machine_drivers.power_off(run.platform.target, target.name, for_s), targets))
    return done


def recover() -> dict[str, object]:
    """Rollback: power on and uncordon what :func:`lose` or :func:`power_off` took. Nothing left to undo is success. Raises UndoFailed."""
    run = active_run.require()
    return {"undone": undo_all(run, LOST) + undo_all(run, {UndoKind.UNCORDON})}
