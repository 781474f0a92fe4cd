"""Ranks of a training job: told to leave, without the pod at which they meet, failing at one point of a step or save.

Ranks killed and hung are :mod:`faults.processes`'s, nodes and zones :mod:`faults.nodes`' and :mod:`faults.zones`'s.
"""

from __future__ import annotations

import re
import time
from random import Random

from faults import pods
from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform, api_errors
from kube.container_exec import output_of
from kube.container_exec import permissions as look_inside
from kube.eviction import evict
from kube.permissions import Permission
from kube.selection import choose, of_index, one_of, pod_target, ready_pods
from safety import fault_steps
from safety.fault_spec import Arguments, fault, whole_number
from safety.undo_journal import UndoKind

EVICT_S = 10.0
MOST_MIB = 8192
STEP = "step"
REPLACED = "its Job makes a new one"
SPENT = "the rank takes it away when it acts, and it is gone with the pod"
POINT = re.compile(r"[a-z]+(\.[a-z_]+)?")
ACTION = re.compile(r"(kill|stop|segfault|flip|nan|sleep:\d+(\.\d+)?)")
WRITE = 'cd "$TRAIN_FAILPOINT_FOLDER" && printf %s "$1" > .new && mv .new "$2"'


def _resolve_preempt(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role = arguments["role"]
    pod = choose(ready_pods(platform, role), 1, rng, f"ready pods of role {role}")[0]
    return [pod_target(pod, f"evicted with {pod.spec.termination_grace_period_seconds} s of grace", REPLACED)]


def _evict_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [Permission("get", "pods", namespace=namespace), Permission("create", "pods/eviction", namespace=namespace)]


@fault(resolve=_resolve_preempt, permissions=_evict_permissions, tier="namespace")
def preempt(role: str) -> dict[str, object]:
    """Evict one ready pod of ``role``, as a scheduler that needs its place does: SIGTERM now, the end when its grace is over.

    It ends at once; the Job makes a new pod.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the pod is gone, or a disruption budget forbids its eviction.

    """
    run, targets, _ = fault_steps.begin()
    for target in targets:
        run.journal.will_undo(fault_steps.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, self_ends=REPLACED))
    run.fault_starts(targets)
    for target in targets:
        with api_errors(f"evict pod {target.namespace}/{target.name}", FaultFailed):
            there = evict(run.platform, target.name, target.namespace or "", target.uid or "", time.monotonic() + EVICT_S)
        if not there:
            raise FaultFailed(f"pod {target.namespace}/{target.name}: it was gone when it was to be evicted; who ended it?")
    run.log.event(EventKind.FAULT_END, run.activity, how=REPLACED)
    return {"targets": [target.name for target in targets], "role": role}


def _resolve_coordinator(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    return [pod_target(of_index(platform, arguments["role"], 0), "killed without grace; the ranks met in it", REPLACED)]


def _kill_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [Permission(verb, "pods", namespace=namespace) for verb in ("get", "list", "delete")]


@fault(resolve=_resolve_coordinator, permissions=_kill_permissions, tier="namespace")
def kill_coordinator(role: str) -> dict[str, object]:
    """Kill the pod with index 0 of ``role`` without grace: it holds the rendezvous, so nobody can meet until it is back.

    Raises as :func:`faults.pods.kill`.
    """
    return pods.kill(role)


def _resolve_point(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role, point, action = arguments["role"], str(arguments["point"]), str(arguments["action"])
    if not POINT.fullmatch(point) or not ACTION.fullmatch(action):
        raise ConfigError(f"fail_at: point {point!r}, action {action!r}; expected e.g. point: save.before_manifest, action: kill")
    return [pod_target(one_of(platform, role, rng, arguments.get("index")), f"{action} at {point}", SPENT)]


def _exec_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    return look_inside(platform.target.role(arguments["role"]).namespace)


@fault(resolve=_resolve_point, permissions=_exec_permissions, tier="namespace")
def fail_at(role: str, point: str, action: str, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` fail at one point of its next step or save: what no signal from outside hits at the right moment.

    A file in the pod's failpoint folder names the point (see workloads/training/failpoints.py); the rank that comes there takes it away
    and acts, once: ``kill``, ``stop``, ``segfault``, ``sleep:S``, and at ``step`` also ``nan`` (a poisoned batch) and ``flip`` (one bit
    of its weights). ``index``: which of the Job's pods; default: by the run's seed.

    Raises:
        TargetRefused: no live run.
        FaultFailed: the file could not be written.

    """
    run, targets, _ = fault_steps.begin()
    container = run.platform.target.role(role).container or ""
    for target in targets:
        run.journal.will_undo(fault_steps.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, self_ends=SPENT))
    run.fault_starts(targets)
    for target in targets:
        command = ["sh", "-ec", WRITE, "sh", f"={action}", f"{point}+aftershock"]
        try:
            output_of(run.platform, target.name, target.namespace or "", container, command)
        except NoData as error:
            raise FaultFailed(f"{error}; the job must set TRAIN_FAILPOINT_FOLDER to a folder that can be written to") from error
    run.log.event(EventKind.FAULT_END, run.activity, how=SPENT)
    return {"targets": [target.name for target in targets], "point": point, "action": action, "index": index}


def _resolve_segfault(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return [pod_target(one_of(platform, arguments["role"], rng, arguments.get("index")), "its rank gets SIGSEGV at its next step", SPENT)]


def _resolve_memory(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    mebibytes = whole_number("exhaust_memory", "mebibytes", arguments["mebibytes"], MOST_MIB)
    pod = one_of(platform, arguments["role"], rng, arguments.get("index"))
    return [pod_target(pod, f"its rank takes {mebibytes} MiB more at its next step", SPENT)]


def _point_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*look_inside(namespace), Permission("list", "pods", namespace=namespace), Permission("get", "pods/log", namespace=namespace)]


@fault(resolve=_resolve_segfault, permissions=_point_permissions, tier="namespace")
def segfault(role: str, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` end by SIGSEGV in its next step, as a broken native library does.

    It ends at once; torchrun restarts the ranks. ``index``: which of the Job's pods; default: by the run's seed. Raises as
    :func:`fail_at`.
    """
    return fail_at(role, STEP, "segfault", index)


@fault(resolve=_resolve_memory, permissions=_point_permissions, tier="namespace")
def exhaust_memory(role: str, mebibytes: int, index: int | None = None) -> dict[str, object]:
    """Let a rank of ``role`` take so much more memory, page by page, that its container's limit is passed and the kernel kills it.

    It is bounded twice: by the container's memory limit, and by ``mebibytes``. With less than the limit leaves nothing happens: the rank
    gives all of it back and goes on, and the evidence is missing. Raises as :func:`fail_at`.
    """
    return fail_at(role, STEP, f"eat:{mebibytes}", index)
