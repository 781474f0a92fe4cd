"""Ranks of a training job: one that is told to leave, the one at which all meet, one that fails at a certain point of a step or save.

Ranks that are killed or hang are faults of :mod:`faults.processes`; lost nodes and zones of :mod:`faults.nodes` and :mod:`faults.zones`.
"""

from __future__ import annotations

import re
import time
from functools import partial
from random import Random

from faults import pods
from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.container_exec import output_in
from kube.container_exec import permissions as exec_permissions
from kube.disruption.eviction import evict, replacement
from kube.permissions import Permission, in_namespace
from kube.selection import choose_pods, choose_rank, grace_s, of_index, pod_target
from safety import fault_steps
from safety.fault_spec import Arguments, KillTrial, fault, whole_number

EVICT_S = 10.0
_in_a_job = partial(fault, tier="namespace", killed=KillTrial(left_out="a training job is needed"))
MOST_MIB = 8192
STEP = "step"
SPENT = "the rank takes it away when it acts, and it is gone with the pod"
POINT = re.compile(r"[a-z]+(\.[a-z_]+)?")
ACTION = re.compile(r"(kill|stop|segfault|flip|nan|sleep:\d+(\.\d+)?)")
WRITE = 'cd "$TRAIN_FAILPOINT_FOLDER" && printf %s "$1" > .new && mv .new "$2"'


def _resolve_preempt(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    [pod] = choose_pods(platform, arguments["role"], 1, rng)
    return [pod_target(pod, f"evicted with {grace_s(pod):g} s of grace", replacement(pod), grace_s(pod))]


def _evict_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return in_namespace(platform.target.role(arguments["role"]).namespace, ("get", "pods"), ("create", "pods/eviction"))


@fault(
    resolve=_resolve_preempt,
    permissions=_evict_permissions,
    tier="namespace",
    ends="at once; the pod's controller makes a new one",
    evidence=("probes.pods.gone", "probes.training.left"),
    graceful=True,
)
def preempt(role: str) -> dict[str, object]:
    """Evict one ready pod of ``role``, as a scheduler that needs its place does: SIGTERM now, the end when its grace is over.

    It ends at once; what owns the pod makes a new one.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the pod is gone, or a disruption budget forbids its eviction for 10 s.

    """
    run, targets, _ = fault_steps.begin()
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    for target in targets:
        with api_errors(f"evict pod {target.namespace}/{target.name}", FaultFailed):
            until_s = time.monotonic() + EVICT_S
            there = evict(run.platform, target.name, target.namespace or "", target.uid or "", until_s, raises=FaultFailed)
        if not there:
            raise FaultFailed(f"pod {target.namespace}/{target.name}: it was gone when it was to be evicted; who ended it?")
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "role": role}


def _resolve_coordinator(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    pod = of_index(platform, arguments["role"], 0)
    return [pod_target(pod, "killed without grace; the ranks met in it", replacement(pod))]


@_in_a_job(
    resolve=_resolve_coordinator,
    permissions=pods.kill_permissions,
    ends="at once; what owns the pod makes a new one",
    evidence=("probes.pods.gone",),
    chaos_mesh=pods.POD_KILL,
)
def kill_coordinator(role: str) -> dict[str, object]:
    """Kill the pod with index 0 of ``role`` without grace: it holds the rendezvous, so nobody can meet until it is back.

    It ends at once; what owns the pod makes a new one. Raises as :func:`faults.pods.kill`.
    """
    return pods.kill(role)


def _resolve_point(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, point, action = arguments["role"], str(arguments["point"]), str(arguments["action"])
    if not POINT.fullmatch(point) or not ACTION.fullmatch(action):
        raise ConfigError(f"fail_at: point {point!r}, action {action!r}; expected e.g. point: save.before_manifest, action: kill")
    return [pod_target(choose_rank(platform, role, rng, arguments.get("index")), f"{action} at {point}", SPENT)]


def _exec_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return exec_permissions(platform.target.role(arguments["role"]).namespace)


@_in_a_job(
    resolve=_resolve_point,
    permissions=_exec_permissions,
    ends=f"once, at its point; {SPENT}",
    evidence=("probes.training.taken", "probes.training.poisoned", "probes.processes.killed"),
)
def fail_at(role: str, point: str, action: str, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` fail at one point of its next step or save: what no signal from outside hits at the right moment.

    A file in the pod's failpoint folder names the point (workloads/training/failpoints.py). The rank that comes there takes the file away
    and acts once; with that, the fault is over. The container's own shell writes the file: a job that names such a folder consents to
    that, and its image has a shell.

    Args:
        role: the training job's.
        point: ``step``, or a point of a save such as ``save.before_manifest``.
        action: ``kill``, ``stop``, ``segfault``, ``sleep:S``; at ``step`` also ``nan`` (a poisoned batch), ``flip`` (a bit of its weights).
        index: which of the Job's pods; default: by the run's seed.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the file could not be written.

    """
    run, targets, _ = fault_steps.begin()
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    for target in targets:
        try:
            output_in(run.platform, target, role, ["sh", "-ec", WRITE, "sh", f"={action}", f"{point}+aftershock"])
        except NoData as error:
            raise FaultFailed(
                f"{error}; its image must have a shell, and the job must set TRAIN_FAILPOINT_FOLDER to a folder that can be written to"
            ) from error
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "point": point, "action": action, "index": index}


def _resolve_segfault(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    pod = choose_rank(platform, arguments["role"], rng, arguments.get("index"))
    return [pod_target(pod, "its rank gets SIGSEGV at its next step", SPENT)]


def _resolve_memory(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    mebibytes = whole_number("exhaust_memory", "mebibytes", arguments["mebibytes"], MOST_MIB)
    pod = choose_rank(platform, arguments["role"], rng, arguments.get("index"))
    return [pod_target(pod, f"its rank takes {mebibytes} MiB more at its next step", SPENT)]


def _point_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*exec_permissions(namespace), *in_namespace(namespace, ("list", "pods"), ("get", "pods/log"))]


@_in_a_job(
    resolve=_resolve_segfault,
    permissions=_point_permissions,
    ends="at once; torchrun restarts the ranks",
    evidence=("probes.ranks.ended_by", "probes.processes.killed"),
)
def segfault(role: str, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` end by SIGSEGV in its next step, as a broken native library does.

    It ends at once; torchrun restarts the ranks. ``index``: which of the Job's pods; default: by the run's seed. Raises as
    :func:`fail_at`.
    """
    return fail_at(role, STEP, "segfault", index)


@_in_a_job(
    resolve=_resolve_memory,
    permissions=_point_permissions,
    ends="at once; torchrun restarts the ranks",
    evidence=("probes.ranks.out_of_memory", "probes.processes.killed"),
)
def exhaust_memory(role: str, mebibytes: int, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` take so much more memory, page by page, that its container's limit is passed and the kernel kills it.

    It is bounded twice: by the container's memory limit, and by ``mebibytes`` (MiB, at most 8192). If that stays within the limit, the rank
    gives all of it back and goes on, and the evidence is missing. ``index``: as in :func:`segfault`. Raises as :func:`fail_at`.
    """
    return fail_at(role, STEP, f"eat:{mebibytes}", index)
