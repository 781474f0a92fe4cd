"""Pods killed, or told to leave: deleted by exact names, within the blast radius that preflight checked."""

from __future__ import annotations

import re
from functools import partial
from random import Random

from chaosk8s.pod import actions as chaosk8s_pods
from chaoslib.exceptions import ActivityFailed
from kubernetes import client

from faults.mechanisms import chaos_mesh
from history.errors import FaultFailed
from history.plan import ResolvedTarget
from kube.chaos_mesh.chaos import POD
from kube.client import Platform, api_errors
from kube.disruption.eviction import replacement
from kube.permissions import Permission, in_namespace
from kube.selection import choose_pods, grace_s, pod_target, read_pod
from kube.wait import until
from safety import fault_steps
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments, Effect, fault

fault_steps.lend_client(chaosk8s_pods)
POD_KILL = "PodChaos, action pod-kill"
GONE_S = 10.0  # a pod deleted with grace 0 is gone, or says so, within a second


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    pods = choose_pods(platform, arguments["role"], arguments.get("count", 1), rng)
    return [pod_target(pod, "killed without grace", replacement(pod)) for pod in pods]


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what deleting pods of a role needs."""
    return in_namespace(platform.target.role(arguments["role"]).namespace, ("get", "pods"), ("list", "pods"), ("delete", "pods"))


def kill_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what killing pods of a role needs: deleting them, or making a chaos object that does."""
    if not chaos_mesh.used(platform):
        return permissions(platform, arguments)
    namespace = platform.target.role(arguments["role"]).namespace
    return [*in_namespace(namespace, ("get", "pods"), ("list", "pods")), *chaos_mesh.permissions(platform, POD, namespace)]


@fault(
    resolve=_resolve,
    permissions=kill_permissions,
    tier="namespace",
    ends="at once; the pod's controller makes a new one",
    evidence=("probes.pods.gone",),
    effect=Effect.POD_DELETED,
    chaos_mesh=POD_KILL,
    instead_of=("terminate_pods", "delete_pods"),
)
def kill(role: str, count: int = 1) -> dict[str, object]:
    """Kill ``count`` ready pods of ``role`` without grace, as a crash would: no SIGTERM, no drain, no endpoint removed before.

    It ends at once; the pod's controller makes a new one. chaosk8s's ``terminate_pods`` deletes one exact name at a time, and each deletion
    is verified: with no match it would succeed, without a name it would take the first pod.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a target is gone since preflight, or was not deleted; or Chaos Mesh did not act.

    """
    run, targets, _ = fault_steps.begin()
    accounts = chaos_mesh.kill(run, targets) if chaos_mesh.used(run.platform) else _terminate_all(run, targets)
    for target in targets:
        if not until(partial(_is_gone, run.platform, target), GONE_S):
            raise FaultFailed(
                f"pod {target.namespace}/{target.name} (role {role}): still there {GONE_S:g} s after its deletion; see its finalizers"
            )
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "count": count} | ({"injector": accounts} if accounts else {})


def _terminate_all(run: ActiveRun, targets: list[ResolvedTarget]) -> list[dict[str, object]]:
    """Delete the targets one after the other; there is nobody whose account that would be. Raises FaultFailed."""
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    for target in targets:
        _terminate(target)
    return []


def _terminate(target: ResolvedTarget) -> None:
    pattern = f"^{re.escape(target.name)}$"
    try:
        with api_errors(f"delete pod {target.namespace}/{target.name}", FaultFailed):
            deleted = chaosk8s_pods.terminate_pods(name_pattern=pattern, qty=1, grace_period=0, ns=target.namespace)
    except ActivityFailed as error:
        raise FaultFailed(f"pod {target.namespace}/{target.name}: chaosk8s could not delete it: {error}") from error
    if deleted != [target.name]:
        raise FaultFailed(
            f"pod {target.namespace}/{target.name}: chaosk8s deleted {deleted}, expected exactly this pod; it was gone already"
        )


def _resolve_leave(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    pods = choose_pods(platform, arguments["role"], arguments.get("count", 1), rng)
    return [pod_target(pod, f"told to leave within {grace_s(pod):g} s", replacement(pod), grace_s(pod)) for pod in pods]


@fault(
    resolve=_resolve_leave,
    permissions=permissions,
    tier="namespace",
    ends="when the pod has left, within its own grace; its controller makes a new one at once",
    evidence=("probes.pods.gone",),
    graceful=True,
)
def leave(role: str, count: int = 1) -> dict[str, object]:
    """Tell ``count`` ready pods of ``role`` to leave, as a rollout does: SIGTERM now, the end when its grace (its own manifest's) is over.

    It is deleted without eviction, so no disruption budget is asked. Its endpoint is removed at once; who has a connection to it keeps that
    one. Whether requests under way are finished and new ones go elsewhere is what is tested.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a target is gone since preflight, or could not be deleted.

    """
    run, targets, _ = fault_steps.begin()
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    for target in targets:
        exactly = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=target.uid))
        with api_errors(f"delete pod {target.namespace}/{target.name}", FaultFailed):
            run.platform.core.delete_namespaced_pod(target.name, target.namespace or "", body=exactly)
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "role": role, "count": count}


def _is_gone(platform: Platform, target: ResolvedTarget) -> bool:
    with api_errors(f"look whether pod {target.name} is gone", FaultFailed):
        return read_pod(platform, target) is None
