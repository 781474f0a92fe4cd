"""Rollouts and scaling: replicas leave on purpose, all in turn for new ones as in each release, or some for good."""

from __future__ import annotations

from random import Random

from history.errors import FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.controllers import rolling, scaling
from kube.controllers.kinds import Reference
from kube.disruption.eviction import replacement
from kube.permissions import Permission, in_namespace
from kube.platform_timers import load_s, start_s
from kube.selection import grace_s, pod_target, ready_pods
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, KillTrial, fault, whole_number
from safety.rescaling import Rescaled
from safety.undo import undo_all
from safety.undo_journal import UndoKind

START_S = 120.0  # for a new replica to be ready, at least, before the rollout is not seen any more
MOST = 100  # replicas fewer
BY_HEALING = "healing: the reaper in the cluster has no rights on controllers"
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


def _resolve_fewer(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    role, count = arguments["role"], whole_number("scale_down", "count", arguments.get("count", 1), MOST)
    pods, made_by = ready_pods(platform, role), rolling.controller(platform, role)
    scaling.refuse_autoscaled(platform, made_by.reference, platform.target.role(role).namespace)
    wanted = made_by.wanted or 0
    if wanted <= count:
        raise TargetRefused(f"role {role}: {made_by.reference} is to have {wanted} replicas; {count} fewer would leave none")
    lasts_s, effect = max(map(grace_s, pods)), _fewer(made_by.reference, wanted, count)
    return [pod_target(pod, effect, BY_HEALING, lasts_s).model_copy(update={"missing_at_once": count}) for pod in pods]


def _fewer(reference: Reference, was: int, count: int) -> str:
    return f"may be the one that leaves: {reference} is to have {was - count} replicas instead of {was}"


def _scaling_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    read = [one for one in permissions(platform, arguments) if one.verb != "patch"]
    return [*read, *scaling.permissions(namespace, rolling.ROLLS)]


@fault(
    resolve=_resolve_fewer,
    permissions=_scaling_permissions,
    tier="namespace",
    ends=BY_HEALING,
    undo=(UndoKind.RESCALE,),
    evidence=("probes.pods.some_gone",),
    graceful=True,
    killed=KillTrial(left_out="nothing but healing ends it, which the campaign does not wait for"),
)
def scale_down(role: str, count: int = 1) -> dict[str, object]:
    """Let the Deployment or StatefulSet of ``role`` have ``count`` replicas fewer, as ``kubectl scale`` does.

    Which of its replicas leave is the controller's choice; each has its own grace. Whether they finish what they have in hand, and new
    requests go elsewhere, is what is tested. Refused where an autoscaler sets the number (KEDA's are such, too), or none would remain. Its
    former number is set again by healing, unless somebody else has set another meanwhile.

    Raises:
        TargetRefused: no live run, or a rollout is under way.
        FaultFailed: a target is gone since preflight, or the number is another than then, or could not be changed.

    """
    run, targets, _ = fault_steps.begin()
    made_by, namespace = rolling.controller(run.platform, role), run.platform.target.role(role).namespace
    (kind, name), was = made_by.reference[1:], made_by.wanted or 0
    if (planned := targets[0].effect) != _fewer(made_by.reference, was, count):
        raise FaultFailed(
            f"{made_by.reference} is to have {was} replicas now, which preflight did not find ({planned}); nothing was changed; "
            "who scaled it since?"
        )
    detail = Rescaled(kind=kind, was=was, lowered=was - count).model_dump_json()
    undo = fault_steps.entry(run, UndoKind.RESCALE, name, namespace=namespace, detail=detail)
    run.journal.will_undo(undo)
    run.fault_starts(targets)
    with api_errors(f"scale {made_by.reference} in namespace {namespace}", FaultFailed):
        there = scaling.scale(run.platform, made_by.reference, namespace, was, was - count)
    if there != was:
        run.journal.undone(undo)  # theirs may be the very number that this fault would have set: healing must leave it
        raise FaultFailed(f"{made_by.reference}: somebody else set its replicas from {was} to {there} just now; nothing was changed")
    return {"targets": [target.name for target in targets], "role": role, "count": count, "replicas": was - count}


def restore() -> dict[str, object]:
    """Rollback: set the former number of replicas again. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.RESCALE})}
