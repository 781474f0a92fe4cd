"""What the small API server in memory is asked for by path: any kind of controller, discovery, disruption budgets, autoscalers, Events."""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTResponse

from kube.objects import Pod

APPS = "/apis/apps/v1/namespaces/ml-serving"
BUDGETS = "/apis/policy/v1/namespaces/ml-serving/poddisruptionbudgets"
PLAIN: Any = client.ApiClient(client.Configuration())  # turns the client's objects into plain ones


def template(name: str) -> Any:
    """Return the pod template of a Deployment: one container, configured by a ConfigMap of its name."""
    config = client.V1Volume(name="config", config_map=client.V1ConfigMapVolumeSource(name=f"{name}-config"))
    spec = client.V1PodSpec(containers=[client.V1Container(name="server", image="i")], volumes=[config])
    return client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels={"app": name}), spec=spec)


def refused(status: int, said: str) -> ApiException:
    """Return an answer of the API server that says no, in its own words."""
    error = ApiException(status=status, reason=said)
    error.body = json.dumps({"kind": "Status", "message": said, "code": status})
    return error


class FakeApi(client.ApiClient):
    """An API client whose answers are a small cluster's, by path."""

    def __init__(self, cluster: AskedByPath) -> None:
        super().__init__(client.Configuration(host="http://in-memory"))
        self.cluster: Any = cluster

    def call_api(self, method: str, url: str, *_: object, **__: object) -> Any:
        if "/proxy" in url:  # a pod answers, through the API server
            return self.cluster.call_api(method, url)
        found = PLAIN.sanitize_for_serialization(self.cluster.answer(method, urlsplit(url).path))
        headers = {"content-type": "application/json"}
        return RESTResponse(urllib3.HTTPResponse(body=json.dumps(found).encode(), status=200, headers=headers))


class AskedByPath:
    """Deployments of ml-serving, disruption budgets, Events, and whatever else stands at a path (``served``)."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.templates = {name: template(name) for name in ("inference", "gateway", "decoy")}  # of Deployments
        self.replicas = dict.fromkeys(self.templates, 3)  # of Deployments
        self.budgets: list[Any] = []  # V1PodDisruptionBudgets
        self.events: list[Any] = []  # V1Events
        self.served: dict[str, Any] = {}  # path -> object or list; an error is raised

    def deployment(self, name: str) -> dict[str, Any]:
        """Return one of the Deployments of ml-serving, as the API server has it."""
        count, made = self.replicas[name], PLAIN.sanitize_for_serialization(self.templates[name])
        meta = {"name": name, "namespace": "ml-serving", "generation": 1, "uid": f"uid-{name}"}
        return {
            "metadata": meta,
            "spec": {"replicas": count, "template": made},
            "status": {"updatedReplicas": count, "observedGeneration": 1},
        }

    def answer(self, method: str, path: str) -> Any:
        """Return what stands at a path, for what is asked for so: any kind of controller, discovery, disruption budgets, autoscalers."""
        self.calls += [] if method == "GET" else [f"{method} {path}"]
        folder, _, name = path.rpartition("/")
        if folder == f"{APPS}/deployments" and path not in self.served and name in self.replicas:
            return self.deployment(name)
        if path == BUDGETS:
            return client.V1PodDisruptionBudgetList(items=self.budgets)
        if path not in self.served:
            raise ApiException(status=404, reason="Not Found")
        found = self.served[path]
        if isinstance(found, Exception):
            raise found
        return found

    def list_namespaced_event(self, namespace: str, **_: object) -> Any:
        return SimpleNamespace(items=copy.deepcopy(self.events))

    def ask_budgets(self, pod: Pod) -> None:
        """Refuse an eviction as the API server does: several budgets, or one that allows none."""
        budgets = [one for one in self.budgets if one.spec.selector.match_labels.items() <= (pod.metadata.labels or {}).items()]
        if len(budgets) > 1:
            said = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            raise refused(500, said)
        if any(not one.status.disruptions_allowed for one in budgets):
            raise refused(429, "Cannot evict pod as it would violate the pod's disruption budget.")
