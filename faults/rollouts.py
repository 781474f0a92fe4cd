"""Rollouts: every replica is replaced by a new one of the same template, as each release does it."""

from __future__ import annotations

from random import Random

from history.errors import FaultFailed
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.controllers import rolling
from kube.disruption.eviction import replacement
from kube.permissions import Permission, in_namespace
from kube.platform_timers import load_s, start_s
from kube.selection import grace_s, pod_target, ready_pods
from safety import fault_steps
from safety.fault_spec import Arguments, KillTrial, fault

START_S = 120.0  # for a new replica to be ready, at least, before the rollout is not seen any more
SLOWER = 2.0  # by so much a start beside others may take longer than usual


def _resolve(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    role = arguments["role"]
    pods, made_by = ready_pods(platform, role), rolling.controller(platform, role)
    missing = rolling.missing_at_once(made_by)
    effect = f"replaced in a rollout of {made_by.reference}, with at most {missing} missing at a time"
    lasts_s = sum(grace_s(pod) for pod in pods) + len(pods) * max(START_S, SLOWER * (start_s(pods) + load_s(pods)))
    return [pod_target(pod, effect, replacement(pod), lasts_s).model_copy(update={"missing_at_once": missing}) for pod in pods]


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what a rollout of a role and its evidence need."""
    namespace = platform.target.role(arguments["role"]).namespace
    return [*in_namespace(namespace, ("get", "pods"), ("list", "pods")), *rolling.permissions(namespace)]


@fault(
    resolve=_resolve,
    permissions=permissions,
    tier="namespace",
    ends="when the last of the old pods is gone, at the pace of the controller's own strategy",
    evidence=("probes.pods.gone",),
    graceful=True,
    killed=KillTrial(left_out="it is what the platform does in every release, and goes on by itself"),
)
def restart(role: str) -> dict[str, object]:
    """Roll all replicas of ``role`` out anew with the template that they have, as ``kubectl rollout restart`` does.

    Its Deployment or StatefulSet replaces pod by pod; its strategy says how many may be missing. Every pod leaves with its own grace.
    Whether answers under way are finished, new requests go elsewhere, and a replica gets its first request only when it can answer, is
    what is tested. The template keeps the annotation ``kubectl.kubernetes.io/restartedAt`` of its last restart.

    Raises:
        TargetRefused: no live run, or a rollout is under way.
        FaultFailed: a target is gone since preflight, or the controller could not be changed.

    """
    run, targets, _ = fault_steps.begin()
    made_by, namespace = rolling.controller(run.platform, role), run.platform.target.role(role).namespace
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    with api_errors(f"restart {made_by.reference} in namespace {namespace}", FaultFailed):
        rolling.restart(run.platform, made_by.reference, namespace)
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "role": role}
