"""Faults that only others than the pod's node can see: their evidence asks pods through ``pods/proxy``, and nothing else shows them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from history.errors import TargetRefused
from history.plan import ResolvedTarget
from kube.client import PARALLEL, Platform, api_errors, unless_gone
from kube.health.asking import permissions, ways_of
from kube.health.ways import Way
from kube.proxy import first_port, reaches
from runner.preflight.checks import Fault, Targets

ASK_S = 2.0


def check_outside(faults: list[Fault], targets: Targets, platform: Platform) -> list[str]:
    """Return what such a fault will not be seen in, in sentences.

    Raises:
        TargetRefused: the API server reaches a target not even before the fault, so nobody could tell the fault from that.

    """
    seen_outside = [fault for fault in faults if _asks_outside(fault, platform)]
    pods = [target for fault in seen_outside for target in targets.get(fault.action.name, []) if target.kind == "Pod"]
    with api_errors("ask the targets through pods/proxy", TargetRefused), ThreadPoolExecutor(PARALLEL) as pool:
        unseen = [target.name for target, there in zip(pods, pool.map(lambda one: _reached(platform, one), pods), strict=True) if not there]
    if unseen:
        raise TargetRefused(
            f"{seen_outside[0].action.name}: only who asks from outside a pod's node sees this fault, and the API server cannot reach "
            f"{', '.join(unseen)} through pods/proxy, so it could never be confirmed; nothing was injected; let the control plane reach "
            "pods, or leave this experiment out"
        )
    roles = dict.fromkeys(str(fault.arguments.get("role")) for fault in seen_outside)
    return [_blind(role, way) for role in roles if (way := ways_of(platform, role).http) not in {Way.PROXY, None}]


def _asks_outside(fault: Fault, platform: Platform) -> bool:
    """Tell whether a fault's evidence asks so, of pods that are at work already: a job's that begin with the run may not listen yet."""
    role = platform.target.roles.get(str(fault.arguments.get("role")))
    asked = fault.spec.permissions(platform, fault.arguments)
    return role is not None and not role.of_run and set(permissions(Way.PROXY, role.namespace)) <= set(asked)


def _reached(platform: Platform, target: ResolvedTarget) -> bool:
    """Tell whether a pod can be asked from outside its node; one that names no port is left to the fault's own check."""
    pod = unless_gone(lambda: platform.pod(target.name, target.namespace or ""))
    port = None if pod is None else first_port(pod)
    return pod is None or port is None or reaches(platform, pod, port, ASK_S)


def _blind(role: str, way: Way | None) -> str:
    return f"health of role {role} is asked through {way}, on the pod's own node: a replica that is cut off from all others counts as ready"
