"""May we? Every verb of inject and undo is asked of the API server before anything happens (SelfSubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kubernetes import client

from history.errors import TargetRefused
from kube.client import PARALLEL, Platform, api_errors


@dataclass(frozen=True, slots=True)
class Permission:
    """One question to SelfSubjectAccessReview. ``resource`` may carry a subresource: ``pods/eviction``."""

    verb: str
    resource: str
    group: str = ""
    namespace: str | None = None


class NotGranted(TargetRefused):
    """Rights are missing."""


def in_namespace(namespace: str, *asked: tuple[str, str]) -> list[Permission]:
    """Return the permissions for pairs of verb and resource (of the core API) in one namespace."""
    return [Permission(verb, resource, namespace=namespace) for verb, resource in asked]


def require(platform: Platform, permissions: Iterable[Permission]) -> None:
    """Refuse the run unless all ``permissions`` are granted.

    Raises:
        NotGranted: with every missing permission.

    """
    lacking = missing(platform, permissions)
    if lacking:
        raise NotGranted(
            f"target {platform.target.name}: the account of context {platform.region.context} may not "
            + "; ".join(sentence(one) for one in lacking)
            + "; grant these by a Role or ClusterRole"
        )


def missing(platform: Platform, permissions: Iterable[Permission]) -> list[Permission]:
    """Return those of ``permissions`` that are not granted, in their order, each once. Raises TargetRefused if nobody can tell."""
    asked = list(dict.fromkeys(permissions))
    with api_errors("ask for permissions (SelfSubjectAccessReview)", TargetRefused), ThreadPoolExecutor(PARALLEL) as pool:
        granted = list(pool.map(lambda one: allowed(platform, one), asked))
    return [one for one, ok in zip(asked, granted, strict=True) if not ok]


def allowed(platform: Platform, permission: Permission) -> bool:
    """Ask the API server one question. Raises ApiException."""
    resource, _, subresource = permission.resource.partition("/")
    attributes = client.V1ResourceAttributes(
        verb=permission.verb, group=permission.group, resource=resource, subresource=subresource or None, namespace=permission.namespace
    )
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes))
    status = platform.authorization.create_self_subject_access_review(review).status
    return bool(status and status.allowed)


def sentence(permission: Permission) -> str:
    """Return a permission in words: ``delete pods in ml-serving``."""
    group = f".{permission.group}" if permission.group else ""
    where = f" in {permission.namespace}" if permission.namespace else " in the whole cluster"
    return f"{permission.verb} {permission.resource}{group}{where}"


def suite_permissions(platform: Platform) -> list[Permission]:
    """Return what every run needs, whatever its fault: see the platform's pods and the instruments', keep the journal and the leases."""
    target, region, own = platform.target, platform.region, platform.target.suite.namespace
    watched = sorted({role.namespace for role in target.roles.values()})
    reads = [Permission(verb, "pods", namespace=name) for name in watched for verb in ("list", "watch")]
    reads += [Permission("list", "pods", namespace=name) for name in sorted({one.namespace for one in region.all_instruments} | {own})]
    journal = [Permission(verb, "configmaps", namespace=own) for verb in ("get", "list", "create", "update", "delete")]
    leases = [Permission(verb, "leases", "coordination.k8s.io", own) for verb in ("get", "list", "create", "update", "delete")]
    return [*reads, *(Permission("get", "namespaces", namespace=name) for name in region.namespaces), *journal, *leases]
