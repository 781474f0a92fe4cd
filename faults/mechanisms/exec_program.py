"""A program of the project in a storage server's own container (exec), beside the server: it is its own timer, and ends by itself."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from random import Random

from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.container_exec import output_of
from kube.container_exec import permissions as look_inside
from kube.objects import Pod
from kube.permissions import Permission
from kube.selection import choose, pod_target, pods_among, ready_pods
from safety import fault_steps
from safety.fault_spec import Arguments, duration_s
from safety.undo_journal import UndoKind
from target.suite_image import PROJECT

LONGEST_S = 120.0


def command(program: str, *arguments: str) -> str:
    """Return the shell command that runs one of the project's programs."""
    return f"cd {PROJECT} && PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m {program} {shlex.join(arguments)}"


def kind_of(name: str, arguments: Arguments, kinds: tuple[str, ...]) -> str:
    """Return what the arguments name, or the first of ``kinds``. Raises ConfigError: it is none of them."""
    kind = arguments.get("kind", kinds[0])
    if kind not in kinds:
        raise ConfigError(f"{name}: kind is {kind!r}; write one of {', '.join(kinds)}")
    return str(kind)


def servers(platform: Platform, arguments: Arguments, rng: Random, name: str, *, effect: str, ends: str) -> list[ResolvedTarget]:
    """Return the storage servers that are hit. Raises ConfigError, TargetRefused."""
    role, for_s = arguments["role"], duration_s(name, arguments["for_s"])
    if for_s > LONGEST_S:
        raise ConfigError(f"{name}: for_s is {for_s:g}; at most {LONGEST_S:g}")
    if not platform.target.role(role).container:
        raise ConfigError(f"target {platform.target.name}: role {role}: container is needed to reach the disk of its server; add it")
    pods = choose(ready_pods(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    return [pod_target(pod, f"{effect} for {for_s:g} s", ends) for pod in pods]


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what starting a program in a server's container needs."""
    return look_inside(platform.target.role(arguments["role"]).namespace)


def run_beside(role: str, for_s: float, line: Callable[[int], str], ends: str) -> dict[str, object]:
    """Start the program beside each server, after the journal was written; ``line`` makes its command of a seed."""
    run, targets, objects = fault_steps.begin()
    for target in targets:
        run.journal.will_undo(
            fault_steps.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, lasts_s=for_s, self_ends=ends)
        )
    run.fault_starts(targets)
    for number, pod in enumerate(pods_among(objects)):
        start_beside(run.platform, pod, str(run.platform.target.role(role).container), line(run.plan.seed + number))
    return {"targets": [target.name for target in targets]}


def start_beside(platform: Platform, pod: Pod, container: str, line: str) -> None:
    """Start the program beside the server and return at once; its output is of no use to anybody."""
    meta = pod.metadata
    try:
        output_of(platform, meta.name, meta.namespace, container, ["sh", "-c", f"({line}) >/dev/null 2>&1 </dev/null &"])
    except NoData as error:
        raise FaultFailed(f"pod {meta.namespace}/{meta.name}: what it stores could not be damaged: {error}") from error
