"""How a Deployment or a StatefulSet replaces its pods when its template changes: how many may be missing at a time, and a restart.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy and
https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from kubernetes import client

from history.errors import TargetRefused
from kube.client import Platform, api_errors
from kube.controllers.kinds import Controller, Manifest, Reference
from kube.controllers.wanted import controllers_of
from kube.permissions import Permission
from target.role import KINDS

RESTARTED = "kubectl.kubernetes.io/restartedAt"  # what `kubectl rollout restart` sets: a rollout of the very same template
ROLLS = ("Deployment", "StatefulSet")


def permissions(namespace: str) -> list[Permission]:
    """Return what restarting a controller of a namespace needs."""
    return [Permission(verb, KINDS[kind].plural, "apps", namespace) for kind in ROLLS for verb in ("get", "patch")]


def controller(platform: Platform, role: str) -> Controller:
    """Return the one controller that makes all pods of ``role``, and that people roll out and scale.

    Raises:
        TargetRefused: there is none or more than one, it is of another kind, or a rollout is under way.

    """
    with api_errors(f"role {role}: read who makes its pods", TargetRefused):
        found = controllers_of(platform, platform.target.role(role))
    kinds = ", ".join(str(one.reference) for one in found) or "nobody"
    if len(found) != 1 or found[0].reference.kind not in ROLLS:
        raise TargetRefused(f"role {role}: its pods are made by {kinds}; this needs one {' or '.join(ROLLS)}")
    if found[0].rollout:
        raise TargetRefused(f"role {role}: a rollout of {found[0].reference} is under way ({found[0].rollout}); wait for its end")
    return found[0]


def missing_at_once(controller: Controller) -> int:
    """Return how many pods its strategy lets be missing at a time: 0 where a new one comes first.

    Raises:
        TargetRefused: a change of its template replaces no pod by itself, or not all of them.

    """
    replicas, of = controller.wanted or 0, controller.reference
    return _of_deployment(controller.spec, replicas, of) if of.kind == "Deployment" else _of_stateful_set(controller.spec, replicas, of)


def restart(platform: Platform, reference: Reference, namespace: str) -> None:
    """Let the controller replace its pods, as ``kubectl rollout restart`` does. Raises ApiException."""
    body = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}}}}}
    api = client.AppsV1Api(platform.api)
    patch = api.patch_namespaced_deployment if reference.kind == "Deployment" else api.patch_namespaced_stateful_set
    patch(reference.name, namespace, body)


def _of_deployment(spec: Manifest, replicas: int, reference: Reference) -> int:
    strategy = spec.get("strategy") or {}
    if spec.get("paused"):
        raise TargetRefused(f"{reference} is paused, so nothing is rolled out: kubectl rollout resume")
    if strategy.get("type") == "Recreate":
        return replicas
    rolling = strategy.get("rollingUpdate") or {}
    missing = math.floor(_part(rolling.get("maxUnavailable"), replicas))
    surplus = math.ceil(_part(rolling.get("maxSurge"), replicas))
    return missing if missing or surplus else 1


def _of_stateful_set(spec: Manifest, replicas: int, reference: Reference) -> int:
    strategy = spec.get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    if strategy.get("type") == "OnDelete" or rolling.get("partition"):
        raise TargetRefused(f"{reference} does not replace all of its pods when its template changes (OnDelete, or a partition)")
    return max(1, math.floor(_part(rolling.get("maxUnavailable", 1), replicas)))


def _part(written: object, replicas: int) -> float:
    """Return a number or a percentage of ``replicas``; left out it is a quarter of them."""
    text = "25%" if written is None else str(written)
    return int(text[:-1]) * replicas / 100 if text.endswith("%") else float(text)
