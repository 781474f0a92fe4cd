"""Objects of any resource as plain mappings: for kinds of which the client library has no classes. All raise ApiException."""

from __future__ import annotations

from typing import Any, cast

from kube.client import Platform, unless_gone
from kube.lists import paging
from target.job_kinds.kind import Plain, Resource


def served(platform: Platform, resource: Resource) -> bool:
    """Tell whether the API server serves a resource: of a CustomResourceDefinition that is not installed it knows nothing."""
    found = unless_gone(lambda: platform.custom.get_api_resources(resource.group, resource.version))
    return found is not None and any(one.name == resource.plural for one in found.resources)


def read(platform: Platform, resource: Resource, namespace: str, name: str) -> Plain:
    """Return one object."""
    return cast("Plain", platform.custom.get_namespaced_custom_object(*resource[:2], namespace, resource.plural, name))


def listed(platform: Platform, resource: Resource, namespace: str, selector: str) -> list[Plain]:
    """Return the objects of a namespace that ``selector`` selects; none where the resource is not served."""
    where = (*resource[:2], namespace, resource.plural)
    found = unless_gone(lambda: paging.listed(platform.custom.list_namespaced_custom_object, *where, label_selector=selector))
    return found.items if found else []


def create(platform: Platform, resource: Resource, namespace: str, manifest: Plain, *, dry_run: bool = False) -> None:
    """Create an object; ``dry_run``: only ask whether it would be admitted."""
    asked: dict[str, Any] = {"dry_run": "All"} if dry_run else {}
    platform.custom.create_namespaced_custom_object(*resource[:2], namespace, resource.plural, manifest, **asked)


def delete(platform: Platform, resource: Resource, namespace: str, name: str) -> None:
    """Delete an object at once; what it owns is deleted after it."""
    platform.custom.delete_namespaced_custom_object(*resource[:2], namespace, resource.plural, name, propagation_policy="Background")
