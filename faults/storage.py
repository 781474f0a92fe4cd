"""Storage under a training job: finished checkpoints damaged where they lie.

Mechanism: a program in the storage pod's own container (exec), which is its own timer: it damages for its time and ends. What it damaged
stays damaged (as on a real disk): the job must pass it over, and its own retention removes it.

Other faults of storage: a server that answers badly (:mod:`faults.object_store`), one that is down (:func:`faults.pods.kill`) or hangs
(:func:`faults.engine.freeze_engine`), a volume that takes nothing any more (:mod:`faults.disks`, which also says what is not offered).
"""

from __future__ import annotations

import shlex
from random import Random
from typing import Any

from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from history.plan import ResolvedTarget
from kube import acting, live
from kube.clients import Platform
from kube.fault import Arguments, Permission, duration_s, fault, lasts_for_s
from kube.inside import output_of
from kube.inside import permissions as look_inside
from kube.journal import UndoKind
from kube.objects import Pod
from kube.select import choose, pod_target, ready_pods

PROJECT = "/opt/aftershock"
PROGRAM = "workloads.storage.damage_at_rest"
BUCKET = "/data/objects/training/runs"
KINDS = ("bit-flip", "zeroed-page", "torn-write", "truncation", "stale-shard")
LONGEST_S = 120.0
ENDS = "the program ends when its time is over; what it damaged is passed over by the job and removed by its retention"


def command(action: str, folder: str, *options: str) -> str:
    """Return the shell command that runs the program on a run's checkpoints."""
    return f"cd {PROJECT} && PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m {PROGRAM} {action} {shlex.join([folder, *options])}"


def folder_of_run() -> str:
    """Return where a storage server keeps the checkpoints of the run's job. Raises TargetRefused: the run follows no training job."""
    job = live.require().plan.training
    if job is None:
        raise TargetRefused("damage to checkpoints: this run follows no training job; use a class of workload that is one")
    return f"{BUCKET}/{job.job}"


def _kind(arguments: Arguments) -> str:
    kind = arguments.get("kind", "bit-flip")
    if kind not in KINDS:
        raise ConfigError(f"damage_checkpoints: kind is {kind!r}; write one of {', '.join(KINDS)}")
    return str(kind)


def _for_s(arguments: Arguments) -> float:
    for_s = duration_s("damage_checkpoints", arguments["for_s"])
    if for_s > LONGEST_S:
        raise ConfigError(f"damage_checkpoints: for_s is {for_s:g}; at most {LONGEST_S:g}")
    return for_s


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, kind, for_s = arguments["role"], _kind(arguments), _for_s(arguments)
    if not platform.target.role(role).container:
        raise ConfigError(f"target {platform.target.name}: role {role}: container is needed to reach the disk of its server; add it")
    pods = choose(ready_pods(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    return [pod_target(pod, f"{kind} in each newest finished checkpoint for {for_s:g} s", ENDS) for pod in pods]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return look_inside(platform.target.role(arguments["role"]).namespace)


@fault(resolve=_resolve, permissions=_permissions, tier="namespace", lasts_s=lasts_for_s)
def damage_checkpoints(role: str, for_s: float, kind: str = "bit-flip", count: int = 1) -> dict[str, Any]:
    """Damage one shard of each newest finished checkpoint of the run, on the disks of ``count`` storage servers, for ``for_s`` seconds.

    Raises:
        TargetRefused: no live run, or none that follows a training job.
        FaultFailed: the program could not be started in a server's container.

    """
    run, targets, pods = acting.begin()
    container, folder = run.platform.target.role(role).container, folder_of_run()
    for target in targets:
        undo = acting.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, lasts_s=for_s, self_ends=ENDS)
        run.journal.will_undo(undo)
    run.fault_starts(targets)
    options = ("--kind", kind, "--for", str(for_s), "--seed")
    for number, pod in enumerate(pods):
        _start(run.platform, pod, str(container), command("damage", folder, *options, str(run.plan.seed + number)))
    return {"targets": [target.name for target in targets], "kind": kind, "count": count, "folder": folder}


def _start(platform: Platform, pod: Pod, container: str, line: str) -> None:
    """Start the program beside the server and return at once; its output is of no use to anybody."""
    meta = pod.metadata
    try:
        output_of(platform, meta.name, meta.namespace, container, ["sh", "-c", f"({line}) >/dev/null 2>&1 </dev/null &"])
    except NoData as error:
        raise FaultFailed(f"pod {meta.namespace}/{meta.name}: checkpoints could not be damaged: {error}") from error
