"""Who makes a role's pods, as the API server knows it: how many there should be, and whether a rollout is under way."""

from __future__ import annotations

from typing import Any

from kube.client import Platform
from target.role import Role

Controller = Any  # V1Deployment or V1StatefulSet: what is read of them is alike
RESOURCES = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
"""The kinds that are read, and their resource in the group apps."""


def controller_of(platform: Platform, role: Role) -> Controller | None:
    """Return what makes the pods of ``role``; None: its target file names nobody. Raises ApiException."""
    if role.controller is None:
        return None
    if role.controller.kind == "StatefulSet":
        return platform.apps.read_namespaced_stateful_set(role.controller.name, role.namespace)
    return platform.apps.read_namespaced_deployment(role.controller.name, role.namespace)


def wanted(platform: Platform, role: Role) -> int | None:
    """Return how many replicas ``role`` should have; None: neither a controller nor its target file says. Raises ApiException."""
    controller = controller_of(platform, role)
    if controller is None:
        return role.replicas
    replicas = controller.spec.replicas if controller.spec else None
    return 1 if replicas is None else int(replicas)
