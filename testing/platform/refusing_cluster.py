"""The small API server in memory as it refuses new pods: by a webhook that does not answer, while its condition holds, or by a quota."""

# ruff: noqa: ARG002  # the parameters are those of the API, whether needed here or not
from __future__ import annotations

import copy
import re
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from testing.platform.fake_cluster import NOW, FakeCluster
from testing.platform.in_memory.asked_by_path import refused

UNTIL = re.compile(r'timestamp\("([^"]+)"\)')


class RefusingCluster(FakeCluster):
    """``now`` is its clock. ``runs_jobs``: the Job controller is at work. ``old``: it knows no conditions of webhooks.

    ``otherwise``: who else refuses new pods, and in which words.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.now, self.runs_jobs, self.old = NOW, True, False
        self.webhooks: dict[str, Any] = {}
        self.quotas: dict[tuple[str, str], Any] = {}
        self.jobs: dict[tuple[str, str], Any] = {}
        self.otherwise: ApiException | None = None
        self.conditions: list[Any] = []  # of the one ReplicaSet
        monkeypatch.setattr(client, "AdmissionregistrationV1Api", lambda _api: self)

    def create_namespaced_pod(self, namespace: str, body: Any, dry_run: str = "") -> None:
        super().create_namespaced_pod(namespace, body, dry_run)
        if self.otherwise is not None:
            raise self.otherwise
        for made in self.webhooks.values():
            for hook in made["webhooks"]:
                if hook["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": namespace} and self._holds(hook):
                    said = f'failed calling webhook "{hook["name"]}": failed to call webhook: service "aftershock-nobody" not found'
                    raise refused(500, f"Internal error occurred: {said}")
        for (where, name), quota in self.quotas.items():
            if where == namespace and quota["spec"]["hard"] == {"pods": "0"}:
                said = f"exceeded quota: {name}, requested: pods=1, used: pods=8, limited: pods=0"
                raise refused(403, f'pods "aftershock-question-x" is forbidden: {said}')

    def list_namespaced_replica_set(self, namespace: str, **_: object) -> SimpleNamespace:
        bare = SimpleNamespace(conditions=None)  # as the API answers where there is none
        return SimpleNamespace(items=[SimpleNamespace(status=one) for one in (bare, SimpleNamespace(conditions=self.conditions))])

    def _holds(self, hook: Any) -> bool:
        """Tell whether a pod that is made now is one of which the webhook must be asked."""
        [condition] = hook["matchConditions"]
        until = UNTIL.findall(condition["expression"])
        return self.now < datetime.fromisoformat(until[0])

    def create_validating_webhook_configuration(self, body: Any) -> SimpleNamespace:
        self.calls.append(f"create webhook {body['metadata']['name']}")
        self.webhooks[body["metadata"]["name"]] = copy.deepcopy(body)
        kept = None if self.old else body["webhooks"][0]["matchConditions"]
        return SimpleNamespace(webhooks=[SimpleNamespace(match_conditions=kept)])

    def delete_validating_webhook_configuration(self, name: str) -> None:
        self._there(self.webhooks, name)
        del self.webhooks[name]

    def create_namespaced_resource_quota(self, namespace: str, body: Any) -> None:
        self.calls.append(f"create quota {body['metadata']['name']}")
        self.quotas[namespace, body["metadata"]["name"]] = copy.deepcopy(body)

    def delete_namespaced_resource_quota(self, name: str, namespace: str) -> None:
        self._there(self.quotas, (namespace, name))
        del self.quotas[namespace, name]

    def create_namespaced_job(self, namespace: str, body: Any) -> None:
        self.calls.append(f"create job {body['metadata']['name']}")
        self.jobs[namespace, body["metadata"]["name"]] = copy.deepcopy(body)

    def read_namespaced_job(self, name: str, namespace: str) -> Any:
        self._there(self.jobs, (namespace, name))
        status = SimpleNamespace(start_time=self.now if self.runs_jobs else None)
        return SimpleNamespace(metadata=SimpleNamespace(uid=f"uid-of-{name}"), status=status)

    def delete_namespaced_job(self, name: str, namespace: str, propagation_policy: str) -> None:
        self._there(self.jobs, (namespace, name))
        del self.jobs[namespace, name]
