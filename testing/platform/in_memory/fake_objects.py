"""Objects of any resource as a small API server keeps them: Jobs and their templates, and what a CustomResourceDefinition adds."""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

from kubernetes.client.exceptions import ApiException

from kube.labels import selects

Plain = dict[str, Any]


class FakeObjects:
    """``resources``: the resources that there are, as (group/version, plural); ``refusal``: what admission says to whatever is made."""

    def __init__(self) -> None:
        self.resources = {("batch/v1", "jobs"), ("batch/v1", "cronjobs")}
        self.plain: dict[tuple[str, str, str], Plain] = {}  # (plural, namespace, name) -> object
        self.refusal = ""

    def get_api_resources(self, group: str, version: str) -> SimpleNamespace:
        found = [SimpleNamespace(name=plural) for version_of, plural in self.resources if version_of == f"{group}/{version}"]
        if not found:
            raise ApiException(status=404, reason="Not Found")
        return SimpleNamespace(resources=found)

    def get_namespaced_custom_object(self, group: str, version: str, namespace: str, plural: str, name: str) -> Plain:
        self._known(group, version, plural)
        return copy.deepcopy(self._object(plural, namespace, name))

    def list_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, *, label_selector: str, **_: object
    ) -> Plain:
        self._known(group, version, plural)
        found = [one for (kind, where, _), one in self.plain.items() if (kind, where) == (plural, namespace)]
        return {"items": [copy.deepcopy(one) for one in found if selects(label_selector, one["metadata"].get("labels", {}))]}

    def create_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, body: Plain, *, dry_run: str | None = None
    ) -> None:
        self._known(group, version, plural)
        if self.refusal:
            raise ApiException(status=403, reason=self.refusal)
        if not dry_run:
            self.plain[plural, namespace, body["metadata"]["name"]] = copy.deepcopy(body)

    def delete_namespaced_custom_object(
        self, group: str, version: str, namespace: str, plural: str, name: str, *, propagation_policy: str
    ) -> None:
        self._known(group, version, plural)
        self._object(plural, namespace, name)
        del self.plain[plural, namespace, name]

    def _known(self, group: str, version: str, plural: str) -> None:
        if (f"{group}/{version}", plural) not in self.resources:
            raise ApiException(status=404, reason="Not Found")

    def _object(self, plural: str, namespace: str, name: str) -> Plain:
        if (plural, namespace, name) not in self.plain:
            raise ApiException(status=404, reason="Not Found")
        return self.plain[plural, namespace, name]
