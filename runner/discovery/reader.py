"""Lists of a cluster, in pages and with whatever rights there are: what may not be read is remembered, and reading goes on without it.

Only GET is ever sent, and no Secret or ConfigMap is asked for. Where a list of the whole cluster is forbidden, each namespace is asked.
Pages and continue tokens: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import cast

import orjson
import urllib3
from kubernetes.client.exceptions import ApiException

from kube.answers import explained
from kube.client import PARALLEL, Platform
from kube.lists.paging import GONE, PAGE
from target.job_kinds.kind import Plain, Resource

FORBIDDEN = HTTPStatus.FORBIDDEN
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
NODES = Resource("", "v1", "nodes", "Node")
PODS = Resource("", "v1", "pods", "Pod")
SERVICES = Resource("", "v1", "services", "Service")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be read: ``namespace`` is None for the whole cluster, ``said`` what was answered."""

    verb: str
    resource: str
    group: str
    namespace: str | None
    forbidden: bool
    said: str

    @property
    def what(self) -> str:
        """What was asked for, as a person says it: ``list pods``, ``list jobsets.jobset.x-k8s.io``."""
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


class Reader:
    """Reads a cluster. ``only``: the namespaces that a person named (empty: all); ``own``: the one of the kubeconfig's context."""

    def __init__(self, platform: Platform, only: Sequence[str] = (), own: str = "default") -> None:
        self.platform, self.only, self._own = platform, tuple(dict.fromkeys(only)), own
        self.gaps: list[Gap] = []

    @cached_property
    def groups(self) -> dict[str, str]:
        """The API groups that are served, each with the version that the server prefers."""
        try:
            found = self._get("/apis", {})["groups"]
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            self.note(error, "get", "apis", "", None)
            return {}
        return {one["name"]: one["preferredVersion"]["version"] for one in found if one.get("preferredVersion")}

    def served(self, group: str, plural: str, kind: str) -> Resource | None:
        """Return a resource in the version that the server prefers; None: nobody serves its group."""
        return Resource(group, self.groups[group], plural, kind) if group in self.groups else None

    @cached_property
    def namespaces(self) -> dict[str, Plain]:
        """The namespaces to look into, by name: those that a person named, else all; as far as they may be read."""
        found = {one["metadata"]["name"]: one for one in self.of_cluster(NAMESPACES)}
        if self.only:
            return {name: found.get(name, {"metadata": {"name": name}}) for name in self.only}
        return found or {self._own: {"metadata": {"name": self._own}}}

    @property
    def not_there(self) -> list[str]:
        """Namespaces that a person named, and that a list of all of them lacks."""
        seen = [name for name, one in self.namespaces.items() if "uid" in one["metadata"]]
        return [name for name in self.only if name not in seen] if not any(gap.resource == "namespaces" for gap in self.gaps) else []

    def of_cluster(self, resource: Resource) -> list[Plain]:
        """Return the objects of a resource that belongs to no namespace; none if they may not be read."""
        return [one for page in self._tried(resource, None) for one in page]

    def listed(self, resource: Resource | None) -> list[Plain]:
        """Return the objects of a resource; none if nobody serves it."""
        return [one for page in self.pages(resource) for one in page] if resource else []

    def pages(self, resource: Resource, **query: str) -> Iterator[list[Plain]]:
        """Yield the objects of a resource in the namespaces to look into, page by page."""
        before = len(self.gaps)
        if not self.only:
            yield from self._tried(resource, None, **query)
        if self.only or any(gap.forbidden for gap in self.gaps[before:]):
            with ThreadPoolExecutor(PARALLEL) as pool:
                for found in pool.map(lambda name: list(self._tried(resource, name, **query)), self.namespaces):
                    yield from found

    def note(self, error: ApiException | urllib3.exceptions.HTTPError, verb: str, resource: str, group: str, namespace: str | None) -> None:
        """Remember what could not be read."""
        status = error.status if isinstance(error, ApiException) else None
        self.gaps.append(Gap(verb, resource, group, namespace, status == FORBIDDEN, explained(error)))

    def _tried(self, resource: Resource, namespace: str | None, **query: str) -> Iterator[list[Plain]]:
        """Yield page by page what may be read. What nobody serves is no gap."""
        try:
            yield from self._paged(resource, namespace, query)
        except (ApiException, urllib3.exceptions.HTTPError) as error:
            if not isinstance(error, ApiException) or error.status != HTTPStatus.NOT_FOUND:
                self.note(error, "list", resource.plural, resource.group, namespace)

    def _paged(self, resource: Resource, namespace: str | None, query: dict[str, str]) -> Iterator[list[Plain]]:
        base = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        path = f"{base}/namespaces/{namespace}/{resource.plural}" if namespace else f"{base}/{resource.plural}"
        token = ""
        while True:
            asked = {**query, "limit": str(PAGE), **({"continue": token} if token else {})}
            try:
                found = self._get(path, asked)
            except ApiException as error:
                if error.status != GONE or not token or not (later := _continue(orjson.loads(error.body or b"{}"))):
                    raise
                token = later  # the snapshot is gone; the server goes on from the same place of a newer one
                continue
            yield [one for one in found.get("items") or [] if isinstance(one, dict)]
            token = _continue(found)
            if not token:
                return

    def _get(self, path: str, query: dict[str, str]) -> Plain:
        """Return what stands at a path. Raises ApiException, HTTPError."""
        request = self.platform.api.param_serialize("GET", path, query_params=list(query.items()), auth_settings=["BearerToken"])
        answer = self.platform.api.call_api(*request)
        body = answer.read()
        if answer.status != HTTPStatus.OK:
            raise ApiException(http_resp=answer)
        try:
            return cast("Plain", dict(orjson.loads(body)))
        except (orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise ApiException(status=0, reason=f"200 with what is no answer of Kubernetes ({type(error).__name__})") from error


def _continue(found: Plain) -> str:
    return str((found.get("metadata") or {}).get("continue") or "")
