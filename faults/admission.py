"""New pods are not let in: what runs goes on, and what is lost meanwhile is not replaced.

That happens in production in two ways. A webhook that must be asked before a pod is made (``failurePolicy: Fail``) is down; or a quota
leaves no room. Both are real objects of Kubernetes, and the API server itself refuses: no pod, node or controller is touched. A fault of
this family is mostly followed by one that takes a pod away. That pod is replaced when its controller tries again: it waits twice as long
after each refusal, so up to as long again as it was refused.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from random import Random

from kubernetes import client

from faults.mechanisms import timer_job
from history.errors import ConfigError, FaultFailed, TargetRefused
from history.plan import NAMESPACE, ResolvedTarget
from kube.client import Platform, api_errors
from kube.objects import body
from kube.permissions import Permission
from safety import active_run, fault_steps, new_pods
from safety.active_run import ActiveRun
from safety.fault_spec import Arguments, KillTrial, duration_s, fault, lasts_for_s
from safety.undo import undo_all
from safety.undo_journal import UndoKind

LONGEST_S = 3600.0
WEBHOOK_ENDS = "after {for_s:g} s by the API server itself, which asks the webhook only of pods that are made before then"
CONFIGURATIONS, GROUP = "validatingwebhookconfigurations", "admissionregistration.k8s.io"
NOBODY = "aftershock-nobody"  # a Service that there is not
CAMPAIGN = "its target is a namespace, and the campaign looks at pods, nodes and devices; its own test lets it end with nobody's help"
EVIDENCE = ("probes.admission.refused", "probes.admission.not_replaced")


def _target(platform: Platform, arguments: Arguments, what: str, how: str, ends: str) -> ResolvedTarget:
    """Return the namespace of a role. Raises TargetRefused: it lets in no pod as it is, so nobody could see the fault."""
    for_s, namespace = _duration_s(what, arguments["for_s"]), platform.target.role(arguments["role"]).namespace
    with api_errors(f"ask whether a new pod would be let into namespace {namespace} (by a server-side dry run)", TargetRefused):
        words = new_pods.refusal(platform, namespace)
    if words:
        raise TargetRefused(
            f"namespace {namespace}: a new pod would be refused there without any fault ({words}), so nobody could see this one; nothing "
            "was injected; mend that, or leave this experiment out"
        )
    effect = f"new pods are refused for {for_s:g} s, {how}; what runs goes on"
    return ResolvedTarget(kind=NAMESPACE, name=namespace, namespace=namespace, effect=effect, ends=ends.format(for_s=for_s))


def _duration_s(what: str, value: object) -> float:
    for_s = duration_s(what, value)
    if for_s > LONGEST_S:
        raise ConfigError(f"{what}: for_s is {for_s:g}; new pods may be refused for {LONGEST_S:g} s at most; write for_s: 60")
    return for_s


def _resolve_webhook(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    found = _target(platform, arguments, "refuse_by_webhook", "by a webhook that does not answer", WEBHOOK_ENDS)
    return [found.model_copy(update={"cluster_wide": True})]


def _resolve_quota(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    return [_target(platform, arguments, "refuse_by_quota", "by a quota that leaves no room", timer_job.ENDS)]


def webhook_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what refusing by a webhook needs, and its evidence. A webhook's configuration belongs to the whole cluster."""
    asked = new_pods.permissions(platform.target.role(arguments["role"]).namespace)
    return [*asked, *(Permission(verb, CONFIGURATIONS, GROUP) for verb in ("create", "delete"))]


def quota_permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what refusing by a quota needs, its timer, and its evidence: all in the namespace of the role."""
    namespace = platform.target.role(arguments["role"]).namespace
    quotas = [Permission(verb, "resourcequotas", namespace=namespace) for verb in ("create", "delete")]
    return [*new_pods.permissions(namespace), *quotas, *timer_job.permissions(namespace)]


registered = partial(fault, lasts_s=lasts_for_s, evidence=EVIDENCE, killed=KillTrial(left_out=CAMPAIGN))


@registered(resolve=_resolve_webhook, permissions=webhook_permissions, tier="cluster", ends=WEBHOOK_ENDS, undo=(UndoKind.DELETE_WEBHOOK,))
def refuse_by_webhook(role: str, for_s: float) -> dict[str, object]:
    """Let a webhook that nobody answers refuse every new pod in the namespace of ``role``, for ``for_s`` seconds.

    So do policy engines, sidecar injectors and schedulers of batch jobs whose own pods are lost, and what a chart leaves behind that was
    removed. The configuration asks a Service that is not there, with ``failurePolicy: Fail``. Only pods are refused, and only in this
    namespace. Its condition on a pod's creation time, by the API server's own clock, ends it. The configuration stays until healing, and
    does nothing any more. It is an object of the whole cluster: any cluster but the embedded one needs ``allow: {cluster_wide: true}``.

    Raises:
        ConfigError: ``for_s`` is above 3600 s (said in preflight).
        TargetRefused: no live run.
        FaultFailed: the configuration could not be made, or the API server is too old to end it by itself.

    """
    run, target, name = _begin(UndoKind.DELETE_WEBHOOK, for_s)
    made = webhook(run, name, target.name, for_s)
    run.fault_starts([target])
    with api_errors(f"make the webhook configuration {name}", FaultFailed):
        hooks = client.AdmissionregistrationV1Api(run.platform.api)
        kept = hooks.create_validating_webhook_configuration(body(client.V1ValidatingWebhookConfiguration, made))
    if not all(hook.match_conditions for hook in kept.webhooks or ()):
        undo_all(run, {UndoKind.DELETE_WEBHOOK})
        raise FaultFailed(
            f"the API server left the condition out by which webhook configuration {name} ends (Kubernetes has it from 1.28 on); it is "
            "deleted again; use refuse_by_quota"
        )
    return {"targets": [target.name], "role": role, "for_s": for_s, "configuration": name}


def webhook(run: ActiveRun, name: str, namespace: str, for_s: float) -> dict[str, object]:
    """Return a configuration by which new pods of ``namespace`` are refused that are made within ``for_s`` seconds from now."""
    until = (run.platform.server_time() + timedelta(seconds=for_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = "object.metadata.creationTimestamp"  # the API server sets it, before it asks
    in_time = f'has({made}) && timestamp({made}) < timestamp("{until}")'
    service = {"namespace": run.platform.target.suite.namespace, "name": NOBODY}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "Namespaced"}
    asked = {
        "name": f"{name}.aftershock.dev",
        "clientConfig": {"service": service},
        "rules": [pods],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "matchConditions": [{"name": "until-its-end", "expression": in_time}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 1,
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": name, "labels": new_pods.MANAGED}, "webhooks": [asked]}


@registered(resolve=_resolve_quota, permissions=quota_permissions, tier="namespace", ends=timer_job.ENDS, undo=(UndoKind.DELETE_QUOTA,))
def refuse_by_quota(role: str, for_s: float) -> dict[str, object]:
    """Let a quota of no pods refuse every new pod in the namespace of ``role``, for ``for_s`` seconds: there is no room for more.

    Pods that run stay: a quota is asked only when one is made. It stands for all that keeps a replacement away because nothing is left
    for it, a full quota as well as a full cluster, without any other node being touched. A Job without pods owns the quota and ends it.

    Raises:
        ConfigError: ``for_s`` is above 3600 s (said in preflight).
        TargetRefused: no live run.
        FaultFailed: the quota, or the Job that is to end it, could not be made, or nobody runs that Job.

    """
    run, target, name = _begin(UndoKind.DELETE_QUOTA, for_s)
    owner = timer_job.start(run.platform, name, target.name, for_s)
    made = {"metadata": {"name": name, "labels": new_pods.MANAGED, "ownerReferences": [owner]}, "spec": {"hard": {"pods": "0"}}}
    run.fault_starts([target])
    with api_errors(f"make the quota {target.name}/{name}", FaultFailed):
        run.platform.core.create_namespaced_resource_quota(target.name, body(client.V1ResourceQuota, made))
    return {"targets": [target.name], "role": role, "for_s": for_s, "quota": name}


def _begin(kind: UndoKind, for_s: float) -> tuple[ActiveRun, ResolvedTarget, str]:
    """Write ahead how new pods are let in again; return the run, the namespace, and the name of what is to refuse them there."""
    run = active_run.require()
    [target] = run.targets_of()
    name = new_pods.name_of(run.plan.run_id, run.activity)
    run.journal.will_undo(fault_steps.entry(run, kind, name, namespace=target.name, lasts_s=for_s, self_ends=target.ends))
    return run, target, name


def let_in() -> dict[str, object]:
    """Rollback: let new pods in again. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.DELETE_WEBHOOK, UndoKind.DELETE_QUOTA})}
