"""A program of the project in a storage server's own container (exec): it is its own timer, and ends by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.container_exec import output_in
from kube.container_exec import permissions as exec_permissions
from kube.permissions import Permission
from kube.selection import choose_pods, pod_target
from safety import active_run, fault_steps
from safety.data_damage import DataDamage
from safety.fault_spec import Arguments, duration_s
from safety.undo_journal import UndoKind

LONGEST_S = 120.0


def kind_of(name: str, arguments: Arguments, kinds: tuple[str, ...]) -> str:
    """Return what the arguments name, or the first of ``kinds``. Raises ConfigError: it is none of them."""
    kind = arguments.get("kind", kinds[0])
    if kind not in kinds:
        raise ConfigError(f"{name}: kind is {kind!r}; write one of {', '.join(kinds)}")
    return str(kind)


def resolve_servers(platform: Platform, arguments: Arguments, rng: Random, name: str, *, effect: str, ends: str) -> list[ResolvedTarget]:
    """Return the storage servers that the fault ``name`` hits. Raises ConfigError, TargetRefused."""
    role, for_s = arguments["role"], duration_s(name, arguments["for_s"])
    if for_s > LONGEST_S:
        raise ConfigError(f"{name}: for_s is {for_s:g}; at most {LONGEST_S:g}")
    if not platform.target.role(role).container:
        raise ConfigError(f"target {platform.target.name}: role {role}: container is needed to reach the disk of its server; add it")
    pods = choose_pods(platform, role, arguments.get("count", 1), rng)
    return [pod_target(pod, f"{effect} for {for_s:g} s", ends) for pod in pods]


def container_of(role: str) -> str:
    """Return the container of the live run's storage servers."""
    return active_run.require().platform.target.role(role).container or ""


def fault_name() -> str:
    """Return what the files of the activity being executed are called in a server's container: no other fault's are."""
    run = active_run.require()
    return re.sub(r"[^\w.-]", "-", f"{run.plan.run_id}-{run.activity}")


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what starting a program in a server's container needs, and the one that undoes."""
    return exec_permissions(platform.target.role(arguments["role"]).namespace)


def start_in_servers(role: str, for_s: float, damage: DataDamage, line: Callable[[int], str]) -> dict[str, object]:
    """Start a program in each target's container, after the journal says how ``damage`` is undone; ``line`` is its command, by a seed.

    It returns at once; nobody needs the program's output.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the program could not be started in a server's container.

    """
    run, targets, _ = fault_steps.begin()
    for target in targets:
        undo = fault_steps.entry(run, UndoKind.RESTORE_DATA, target.name, namespace=target.namespace, lasts_s=for_s, self_ends=target.ends)
        run.journal.will_undo(undo.model_copy(update={"detail": damage.model_dump_json()}))
    run.fault_starts(targets)
    for number, target in enumerate(targets):
        in_background = f"({line(run.plan.seed + number)}) >/dev/null 2>&1 </dev/null &"
        try:
            output_in(run.platform, target, role, ["sh", "-c", in_background])
        except NoData as error:
            raise FaultFailed(f"pod {target.namespace}/{target.name}: what it stores could not be damaged: {error}") from error
    return {"targets": [target.name for target in targets]}
