"""Pods killed: chaosk8s deletes them, by exact names, behind our guard."""

from __future__ import annotations

import re
from functools import partial
from random import Random

from chaosk8s.pod import actions as chaosk8s_pods
from chaoslib.exceptions import ActivityFailed

from history.errors import FaultFailed
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube.client import Platform, api_errors
from kube.permissions import Permission
from kube.selection import choose, pod_target, read_pod, ready_pods
from kube.wait import until
from safety import fault_steps
from safety.fault_spec import Arguments, fault
from safety.undo_journal import UndoKind

fault_steps.lend_client(chaosk8s_pods)
GONE_S = 10.0  # a pod deleted with grace 0 is gone, or says so, within a second
REPLACED = "its controller replaces it"


def _resolve(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    role = arguments["role"]
    pods = choose(ready_pods(platform, role), arguments.get("count", 1), rng, f"ready pods of role {role}")
    return [pod_target(pod, "killed without grace", REPLACED) for pod in pods]


def _permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [Permission(verb, "pods", namespace=namespace) for verb in ("get", "list", "delete")]


@fault(resolve=_resolve, permissions=_permissions, tier="namespace")
def kill(role: str, count: int = 1) -> dict[str, object]:
    """Kill ``count`` ready pods of ``role`` without grace, as a crash would: no SIGTERM, no drain, no endpoint removed before.

    It ends at once; the pod's controller makes a new one. chaosk8s's ``terminate_pods`` deletes one exact name at a time (with no match it
    would succeed, without a name it would take the first pod), and the deletion is verified.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a target is gone since preflight, or was not deleted.

    """
    run, targets, _ = fault_steps.begin()
    for target in targets:
        run.journal.will_undo(fault_steps.entry(run, UndoKind.NOTHING, target.name, namespace=target.namespace, self_ends=REPLACED))
    run.fault_starts(targets)
    for target in targets:
        _terminate(target)
    for target in targets:
        if not until(partial(_is_gone, run.platform, target), GONE_S):
            raise FaultFailed(
                f"pod {target.namespace}/{target.name} (role {role}): still there {GONE_S:g} s after its deletion; see its finalizers"
            )
    run.log.event(EventKind.FAULT_END, run.activity, how=REPLACED)
    return {"targets": [target.name for target in targets], "count": count}


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


def _is_gone(platform: Platform, target: ResolvedTarget) -> bool:
    with api_errors(f"look whether pod {target.name} is gone", FaultFailed):
        return read_pod(platform, target) is None
