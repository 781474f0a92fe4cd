"""The reaper's Job and the least rights it can do with: made before the fault, removed when the run is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.errors import FaultFailed, TargetRefused, UndoFailed
from history.plan import Plan, ResolvedTarget
from kube.client import Platform, api_errors, unless, unless_forbidden
from kube.containers import AS_NOBODY, CONFINED
from kube.lists.paging import Listed, listed
from kube.objects import Job, body
from kube.permissions import Permission
from kube.selection import instrument_pods
from kube.wait import until
from safety.reaper import WATCHING
from safety.reaper_rights import CORDONS, CUTS, make_rights
from target.environment import environment_of
from target.suite_image import PROJECT, PYTHON
from target.target import Target

MANAGED = {"app.kubernetes.io/managed-by": "aftershock", "aftershock.dev/kind": "reaper"}
NONE = Listed([], "")
START_S = 45.0
MARGIN_S = 120.0


def needs_reaper(permissions: list[Permission]) -> bool:
    """Tell whether a run changes something by the API that must be undone by the API: it may cordon nodes, or cut networks by objects."""
    return bool({(permission.verb, permission.resource) for permission in permissions} & {CORDONS, CUTS})


def reaper_permissions(namespace: str, needed: list[Permission]) -> list[Permission]:
    """Return what making and removing a reaper needs, in the whole cluster only where a run ``needed`` to cordon nodes."""
    rbac = "rbac.authorization.k8s.io"
    own = [("serviceaccounts", ""), ("roles", rbac), ("rolebindings", rbac), ("jobs", "batch")]
    cordons = any((permission.verb, permission.resource) == CORDONS for permission in needed)
    cluster = [("clusterroles", rbac), ("clusterrolebindings", rbac)] if cordons else []
    verbs = ("create", "list", "delete")
    found = [Permission(verb, resource, group, namespace) for resource, group in own for verb in verbs]
    found.append(Permission("get", "pods/log", namespace=namespace))
    return found + [Permission(verb, resource, group) for resource, group in cluster for verb in verbs]


def name_of(run_id: str) -> str:
    """Return the name of a reaper's objects (at most 63 characters, as labels of its pods are)."""
    return f"aftershock-reaper-{run_id}"[:63].rstrip("-.")


def labels_of(run_id: str) -> dict[str, str]:
    """Return the labels of a reaper's objects."""
    return MANAGED | {"aftershock.dev/run": run_id[:63]}


def start(platform: Platform, plan: Plan, permissions: list[Permission]) -> None:
    """Make the reaper of a run that needs ``permissions``, and wait until it watches.

    Raises:
        FaultFailed: it could not be made, or does not run within 45 s; then nothing must be injected.

    """
    namespace, name = platform.target.suite.namespace, name_of(plan.run_id)
    total_s = sum((plan.timers.baseline_s, plan.timers.confirm_s, plan.timers.deadline_s, plan.timers.heal_s, MARGIN_S))
    with api_errors(f"make the reaper {name} in {namespace}", FaultFailed):
        make_rights(platform, plan, {"name": name, "labels": labels_of(plan.run_id)}, permissions)
        beside = sorted({str(pod.spec.node_name) for pod in instrument_pods(platform) if pod.spec.node_name})
        platform.batch.create_namespaced_job(namespace, body(client.V1Job, job(platform.target, plan, total_s, beside)))
        if not until(lambda: _watches(platform, plan.run_id), START_S, poll_s=0.5):
            raise FaultFailed(
                f"reaper {name}: it does not run after {START_S:.0f} s, so nobody would undo the fault if this run died; "
                f"see kubectl -n {namespace} describe pod -l job-name={name}"
            )


def check(platform: Platform, run_id: str) -> None:
    """Make sure that the reaper still watches, right before the fault. Raises FaultFailed: it does not, so nothing must be injected."""
    with api_errors("ask for the reaper", FaultFailed):
        if not _watches(platform, run_id):
            raise FaultFailed(f"reaper {name_of(run_id)}: it does not watch any more, so nobody would undo the fault if this run died")


def job(target: Target, plan: Plan, total_s: float, beside: list[str]) -> dict[str, object]:
    """Return the Job's manifest. ``beside``: nodes of the instruments, where it stands best, since no fault touches them."""
    name, labels = name_of(plan.run_id), labels_of(plan.run_id)
    pod = {
        "serviceAccountName": name,
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 2,
        "enableServiceLinks": False,
        "affinity": {"nodeAffinity": placement(plan.targets, beside)},
        "securityContext": AS_NOBODY,
        "containers": [container(target, plan.run_id, now_ns() + int(total_s * 1e9))],
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 30,
            "activeDeadlineSeconds": int(total_s) + 1800,
            "ttlSecondsAfterFinished": 120,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def placement(targets: tuple[ResolvedTarget, ...], beside: list[str]) -> dict[str, object]:
    """Return a node affinity: never on a node that the fault touches, best beside the instruments."""

    def hosts(operator: str, names: list[str]) -> dict[str, object]:
        return {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": operator, "values": names}]}

    touched = sorted({one.node for one in targets if one.node})
    affinity: dict[str, object] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [hosts("NotIn", touched)]}}
    if beside:
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = [{"weight": 100, "preference": hosts("In", beside)}]
    return affinity


def container(target: Target, run_id: str, deadline_ns: int) -> dict[str, object]:
    """Return the reaper's container."""
    environment = environment_of(target) | {
        "AFTERSHOCK_RUN_ID": run_id,
        "AFTERSHOCK_DEADLINE_NS": str(deadline_ns),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {
        "name": "reaper",
        "image": target.suite.image,
        "imagePullPolicy": "IfNotPresent",
        "workingDir": PROJECT,
        "command": [PYTHON, "-m", "safety.reaper"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": {"cpu": "10m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONFINED,
    }


def remove(platform: Platform, run_id: str) -> list[str]:
    """Remove a reaper and its rights; return what was there. Raises UndoFailed."""
    return _remove(platform, ",".join(f"{key}={value}" for key, value in labels_of(run_id).items()))


def runs(platform: Platform) -> set[str]:
    """Return the runs that have a reaper, or something left of one. Raises TargetRefused.

    An account that may not look gets none: it can't have made one.
    """
    selector = ",".join(f"{key}={value}" for key, value in MANAGED.items())
    rbac = client.RbacAuthorizationV1Api(platform.api)
    with api_errors("look for reapers", TargetRefused):
        jobs = unless_forbidden(lambda: platform.jobs_in(platform.target.suite.namespace, selector), list[Job]())
        roles = unless_forbidden(lambda: listed(rbac.list_cluster_role, label_selector=selector).items, list[client.V1ClusterRole]())
    found = [*(job.metadata for job in jobs), *(role.metadata for role in roles)]
    return {(meta.labels or {})["aftershock.dev/run"] for meta in found if meta}


def _remove(platform: Platform, selector: str) -> list[str]:
    removed: list[str] = []
    with api_errors("remove the reaper", UndoFailed):
        for kind, names, delete in _kinds(platform, selector):
            for name in names():
                with unless(404):
                    delete(name)
                removed.append(f"{kind} {name}")
    return removed


def _kinds(platform: Platform, selector: str) -> Iterator[tuple[str, Callable[[], list[str]], Callable[[str], object]]]:
    namespace = platform.target.suite.namespace
    rbac = client.RbacAuthorizationV1Api(platform.api)
    core = platform.core
    batch = platform.batch

    def names(lister: Callable[..., Any], *where: str) -> Callable[[], list[str]]:
        found = partial(listed, lister, *where, label_selector=selector)
        return lambda: [one.metadata.name for one in (found() if where else unless_forbidden(found, NONE)).items]

    yield (
        "job",
        names(batch.list_namespaced_job, namespace),
        lambda name: batch.delete_namespaced_job(name, namespace, propagation_policy="Background"),
    )
    yield (
        "rolebinding",
        names(rbac.list_namespaced_role_binding, namespace),
        lambda name: rbac.delete_namespaced_role_binding(name, namespace),
    )
    yield "role", names(rbac.list_namespaced_role, namespace), lambda name: rbac.delete_namespaced_role(name, namespace)
    yield "clusterrolebinding", names(rbac.list_cluster_role_binding), rbac.delete_cluster_role_binding
    yield "clusterrole", names(rbac.list_cluster_role), rbac.delete_cluster_role
    yield (
        "serviceaccount",
        names(core.list_namespaced_service_account, namespace),
        lambda name: core.delete_namespaced_service_account(name, namespace),
    )


def _watches(platform: Platform, run_id: str) -> bool:
    """Tell whether the reaper runs and says last that it watches: a container may still be importing, or have ended its watch."""
    namespace = platform.target.suite.namespace
    for pod in platform.pods_in(namespace, f"job-name={name_of(run_id)}"):
        try:
            log = platform.core.read_namespaced_pod_log(pod.metadata.name, namespace, tail_lines=20) or ""
            said = [line for line in log.splitlines() if line.startswith("reaper:")]
            if pod.status.phase == "Running" and said[-1:] == [WATCHING]:
                return True
        except ApiException as error:
            if error.status not in {400, 404}:  # its container has not started yet, or its node's kubelet has not heard of it yet
                raise
    return False
