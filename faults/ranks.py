"""Ranks of a training job that end or falter in other ways than by SIGKILL: a segmentation fault, memory that runs out.

Both happen inside the rank, at its next step, by a file in its pod's failpoint folder (:func:`faults.training.fail_at`).
"""

from __future__ import annotations

from random import Random
from typing import Any

from faults.training import SPENT, fail_at
from history.plan import ResolvedTarget
from kube.clients import Platform
from kube.fault import Arguments, Permission, fault, whole_number
from kube.inside import permissions as look_inside
from kube.select import one_of, pod_target

MOST_MIB = 8192
STEP = "step"


def _resolve_segfault(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    return [pod_target(one_of(platform, arguments["role"], rng, arguments.get("index")), "its rank gets SIGSEGV at its next step", SPENT)]


def _resolve_memory(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    mebibytes = whole_number("exhaust_memory", "mebibytes", arguments["mebibytes"], MOST_MIB)
    pod = one_of(platform, arguments["role"], rng, arguments.get("index"))
    return [pod_target(pod, f"its rank takes {mebibytes} MiB more at its next step", SPENT)]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*look_inside(namespace), Permission("list", "pods", namespace=namespace), Permission("get", "pods/log", namespace=namespace)]


@fault(resolve=_resolve_segfault, permissions=_permissions, tier="namespace")
def segfault(role: str, index: int | None = None) -> dict[str, Any]:
    """Let a rank of ``role`` end by SIGSEGV in its next step, as a broken native library does.

    It ends at once; torchrun restarts the ranks. ``index``: which of the Job's pods; default: by the run's seed. Raises as
    :func:`faults.training.fail_at`.
    """
    return fail_at(role, STEP, "segfault", index)


@fault(resolve=_resolve_memory, permissions=_permissions, tier="namespace")
def exhaust_memory(role: str, mebibytes: int, index: int | None = None) -> dict[str, Any]:
    """Let a rank of ``role`` take so much more memory, page by page, that its container's limit is passed and the kernel kills it.

    It is bounded twice: by the container's memory limit, and by ``mebibytes``. With less than the limit leaves nothing happens: the rank
    gives all of it back and goes on, and the evidence is missing. Raises as :func:`faults.training.fail_at`.
    """
    return fail_at(role, STEP, f"eat:{mebibytes}", index)
