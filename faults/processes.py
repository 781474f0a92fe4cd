"""The engine, which is the worker process inside a pod: killed, frozen or slowed while the other processes there live on.

Mechanism: an ephemeral container in the pod (:mod:`faults.mechanisms.process_signal`), which is its own timer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from faults.mechanisms.process_signal import permissions, signal_process
from history.errors import ConfigError, FaultFailed
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform
from kube.container_exec import permissions as look_inside
from kube.ephemeral import user_of
from kube.permissions import Permission
from kube.selection import choose_pods, pod_target, pods_among
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, Effect, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind
from target.role import Process, Role

RESTARTED = "its server restarts it"
UNSEEN = "nobody could see that it ended; say child_of, title or listens under process in the target file"
MOST_SHARE = 0.95
CONTINUED = "the ephemeral container sends CONT when its time is over, or when it is told to end"


def engine_role(platform: Platform, name: str) -> tuple[Role, str, Process]:
    """Return a role, its container and how its engine is recognised.

    Raises:
        ConfigError: the target does not say.

    """
    role = platform.target.role(name)
    if not role.container or not role.worker:
        lacks = "its engine process is not to be found; write container, and process or the adapter of an engine that has one"
        raise ConfigError(f"target {platform.target.name}: role {name}: {lacks}")
    return role, role.container, role.worker


def _resolving(name: str) -> Callable[[Platform, Arguments, Random], list[ResolvedTarget]]:
    """Return the resolution of the fault ``name``: one that has no end by itself kills, one without a share stops all the time."""

    def resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
        role = arguments["role"]
        for_s = duration_s(name, arguments["for_s"]) if "for_s" in arguments else 0.0
        share = bounded_share(arguments["share"]) if "share" in arguments else 1.0
        _, container, engine = engine_role(platform, role)
        if not for_s and engine.pick == "newest":
            raise ConfigError(
                f"{name}: role {role} knows its process as the newest of several: once it is killed another is that, and {UNSEEN}"
            )
        [pod] = choose_pods(platform, role, 1, rng)
        user_of(pod, container)  # refuses here what could not work later
        much = f"{share:.0%} of each second for " if share < 1 else "for "
        effect = f"process {engine} " + (f"stopped {much}{for_s:g} s" if for_s else "killed")
        return [pod_target(pod, effect, CONTINUED if for_s else RESTARTED)]

    return resolve


def bounded_share(value: object) -> float:
    """Return the share of the time for which a process is stopped. Raises ConfigError: not above 0 and at most 0.95."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_SHARE:
        raise ConfigError(
            f"slow_engine: share is {value!r}; write how much of the time it is stopped, above 0 and at most {MOST_SHARE}: 0.8"
        )
    return float(value)


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*permissions(namespace), *look_inside(namespace)]  # the second for the evidence


_by_signal = partial(fault, permissions=_permissions, tier="ephemeral", undo=(UndoKind.REPLACE_POD,))


@_by_signal(
    on_engine=True,
    resolve=_resolving("kill_engine"),
    ends=f"at once; {RESTARTED}",
    evidence=("probes.processes.killed", "probes.training.restarted"),
    instead_of=("exec_in_pods",),
)
def kill_engine(role: str) -> dict[str, object]:
    """Send SIGKILL to the engine process of one ready pod of ``role``: a segmentation fault, a CUDA abort, no memory look like this.

    It ends when the server or its container restarts the engine. Healing replaces the pod, since an ephemeral container cannot be removed.

    Raises:
        TargetRefused: no live run.
        FaultFailed: no process, or more than one, looks like the engine; or the container was not admitted.

    """
    return _signal(role, 0.0)


@_by_signal(
    on_engine=True,
    resolve=_resolving("freeze_engine"),
    lasts_s=lasts_for_s,
    ends=CONTINUED,
    evidence=("probes.processes.frozen", "probes.training.hung", "probes.training.save_failed", "probes.tracking.silent"),
    effect=Effect.ENGINE_HUNG,
)
def freeze_engine(role: str, for_s: float) -> dict[str, object]:
    """Stop the engine process of one ready pod of ``role`` (SIGSTOP) for ``for_s`` seconds: hung, not dead; its API process still answers.

    It ends by itself: the ephemeral container sends SIGCONT when its time is over, and at once when the pod is being ended. Healing
    replaces the pod. Raises as :func:`kill_engine`.
    """
    return _signal(role, duration_s("freeze_engine", for_s))


@_by_signal(
    on_engine=True,
    resolve=_resolving("slow_engine"),
    lasts_s=lasts_for_s,
    ends=CONTINUED,
    evidence=("probes.ranks.faltering", "probes.ranks.gang_slowed"),
    killed=KillTrial(arguments={"share": 0.8}),
    fidelity="the process is stopped and continued in turn; a starved one makes a little headway all the time",
)
def slow_engine(role: str, for_s: float, share: float) -> dict[str, object]:
    """Slow the engine process of one ready pod of ``role`` for ``for_s`` seconds, as if it were starved of its CPU.

    ``share``: for how much of each second it is stopped, above 0 and at most 0.95. It ends as :func:`freeze_engine` does. Raises as
    :func:`kill_engine`.
    """
    return _signal(role, duration_s("slow_engine", for_s), bounded_share(share))


def _signal(role: str, for_s: float, share: float = 1.0) -> dict[str, object]:
    run, targets, objects = fault_steps.begin()
    _, container, engine = engine_role(run.platform, role)
    if len(targets) != 1:
        raise FaultFailed(f"role {role}: {len(targets)} targets were resolved, expected exactly 1 pod; resolve again")
    [pod], ends = pods_among(objects), CONTINUED if for_s else RESTARTED
    about = {"namespace": pod.metadata.namespace, "detail": pod.metadata.uid, "self_ends": ends}
    run.journal.will_undo(fault_steps.entry(run, UndoKind.REPLACE_POD, pod.metadata.name, lasts_s=for_s, **about))
    run.fault_starts(targets)
    account = signal_process(run.platform, pod, container, engine, for_s, share=share)
    if not for_s:
        run.log.event(EventKind.FAULT_END, run.activity, how=ends)
    return {"targets": [pod.metadata.name], "process": str(engine), "injector": account}


def replace() -> dict[str, object]:
    """Rollback: evict the pods that carry an ephemeral container of this run, so that their controller makes clean ones.

    Nothing left to replace is success. Raises UndoFailed.
    """
    return {"undone": undo_all(active_run.require(), {UndoKind.REPLACE_POD})}
