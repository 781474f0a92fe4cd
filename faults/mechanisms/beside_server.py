"""A program of the fault image in an ephemeral container beside a storage server: it is its own timer, and ends by itself.

It reaches the server's files through the server's process, and the server itself on the pod's loopback (:mod:`faults.node_agent.storage`).
A standby in a container of its own stands before it acts, and undoes what it did if it is lost. Both are lost with the pod; then ``heal``
is left. The reaper is not: it would need rights in the platform's namespaces, and so would whoever makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from kube import ephemeral
from kube.client import Platform, api_errors
from kube.container_exec import permissions as exec_permissions
from kube.ephemeral import user_of
from kube.objects import Pod
from kube.permissions import Permission
from kube.selection import choose_pods, pod_target, pods_among
from safety import active_run, fault_steps
from safety.data_damage import DataDamage, container
from safety.fault_spec import Arguments, duration_s, fault, lasts_for_s
from safety.plain_names import plain_name
from safety.undo_journal import UndoKind
from target.object_store import store_of

LONGEST_S = 120.0
START_S = 45.0  # for the kubelet to start it, an image to be pulled, and the program to be ready
ACT_S = 15.0  # between "armed" and "did"


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
    found = platform.target.role(role)
    if not found.container:
        raise ConfigError(f"target {platform.target.name}: role {role}: container is needed to reach the disk of its server; add it")
    store_of(found.object_store, role)
    pods = choose_pods(platform, role, arguments.get("count", 1), rng)
    for pod in pods:
        user_of(pod, found.container)  # refuses here what could not work later
    return [pod_target(pod, f"{effect} for {for_s:g} s", ends) for pod in pods]


def container_of(role: str) -> str:
    """Return the container of the live run's storage servers."""
    return active_run.require().platform.target.role(role).container or ""


def kept_by(role: str) -> str:
    """Return the path, on a server's disk, of what the activity being executed keeps there: no other fault's begins so.

    Raises:
        ConfigError: the role does not say where its objects lie.

    """
    run = active_run.require()
    name = plain_name(f"aftershock-{run.plan.run_id}-{run.activity}")
    return f"{store_of(run.platform.target.role(role).object_store, role).kept}/{name}"


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what a program beside a server needs, the one that undoes, and evidence that reads the server's files."""
    namespace = platform.target.role(arguments["role"]).namespace
    return list(dict.fromkeys([*ephemeral.permissions(namespace), *exec_permissions(namespace)]))


beside_server = partial(fault, permissions=permissions, tier="ephemeral", lasts_s=lasts_for_s, undo=(UndoKind.RESTORE_DATA,))
"""Registers a fault that a program beside a storage server makes for ``for_s`` seconds."""


def start_beside_servers(
    role: str, for_s: float, damage: DataDamage, words: Callable[[int], tuple[str, ...]], undone_after_s: float = 0.0
) -> dict[str, object]:
    """Run ``damage``'s program beside each target, after the journal says how it is undone; ``words`` are its arguments, by a seed.

    It undoes by itself, ``undone_after_s`` after its time. Should it be lost, its standby does, in a container of its own. It returns when
    every program has begun.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a container was not admitted or did not start within 45 s, or its program refused or could not act.

    """
    run, targets, objects = fault_steps.begin()
    for target in targets:
        undo = fault_steps.entry(run, UndoKind.RESTORE_DATA, target.name, namespace=target.namespace, lasts_s=for_s, self_ends=target.ends)
        run.journal.will_undo(undo.model_copy(update={"detail": damage.model_dump_json()}))
    pods, program = pods_among(objects), damage.program
    standby = (*damage.arguments, "--after", f"{2 * START_S + for_s + undone_after_s:g}")
    with ThreadPoolExecutor(len(pods)) as pool:
        list(pool.map(lambda pod: _armed(run.platform, pod, role, program, standby), pods))
        numbered = list(enumerate(pods))
        added = list(pool.map(lambda one: _armed(run.platform, one[1], role, program, words(run.plan.seed + one[0])), numbered))
        run.fault_starts(targets)
        accounts = list(pool.map(lambda pod, name: _heard(run.platform, pod, name, "did", ACT_S), pods, added))
    return {"targets": [target.name for target in targets], "injector": accounts}


def _armed(platform: Platform, pod: Pod, role: str, program: str, words: tuple[str, ...]) -> str:
    """Add a container that runs ``program`` beside a server, and wait until it is about to act; return its name. Raises FaultFailed."""
    name, namespace = pod.metadata.name, pod.metadata.namespace
    with api_errors(f"pod {namespace}/{name}: add an ephemeral container", FaultFailed):
        now = platform.pod(name, namespace)
        added = container(platform.target, now, role, program, words)
        ephemeral.add(platform, now, added)
    _heard(platform, pod, added["name"], "armed", START_S)
    return str(added["name"])


def _heard(platform: Platform, pod: Pod, name: str, word: str, limit_s: float) -> dict[str, Any]:
    """Return the line of the program's log with ``word``. Raises FaultFailed: it says something else, or nothing in time."""
    what = f"pod {pod.metadata.namespace}/{pod.metadata.name}: what it stores could not be damaged"
    try:
        with api_errors(what, FaultFailed):
            return ephemeral.line_with(platform, pod, name, word, limit_s)
    except NoData as error:
        raise FaultFailed(f"{what}: {error}") from error
