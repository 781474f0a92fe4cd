"""New pods that a run lets nobody make: what refuses them, whether the API server would let one in now, and how that is ended.

A run refuses them in one namespace by an object of its own: the configuration of an admission webhook, or a quota. Its name is made of
the run and its activity, and the API server quotes it when it refuses. So evidence can tell this run's refusal from anybody else's.
"""

from __future__ import annotations

import hashlib
from typing import cast

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kube.answers import message_of, status_of
from kube.client import Platform, unless
from kube.containers import AS_NOBODY, CONFINED
from kube.lists.paging import METADATA_PAGE, listed
from kube.objects import KubeEvent, body
from kube.permissions import Permission, in_namespace
from safety.undo_journal import Undo, UndoKind
from target.suite_image import PYTHON

MANAGED = {"app.kubernetes.io/managed-by": "aftershock"}
ASKED = MANAGED | {"aftershock.dev/kind": "question"}  # labels of a pod that is only asked about
REFUSALS = frozenset({400, 403, 422, 500})  # an answer to the pod itself; 500: a webhook that must be asked does not answer
UNGRANTED = "cannot create resource"  # an account without the right, in the API server's words: that says nothing of the pod
FAILED = "FailedCreate"  # why a controller has no pod, as its Event says, and a condition of a ReplicaSet
FAILURE = "ReplicaFailure"  # the type of that condition


def name_of(run_id: str, activity: str) -> str:
    """Return the name of what refuses new pods for an activity of a run."""
    return "aftershock-" + hashlib.sha256(f"{run_id} {activity}".encode()).hexdigest()[:12]


def permissions(namespace: str) -> list[Permission]:
    """Return what :func:`refusal` and :func:`said_to_controllers` need: no pod is ever made."""
    return [*in_namespace(namespace, ("create", "pods"), ("list", "events")), Permission("list", "replicasets", "apps", namespace)]


def refusal(platform: Platform, namespace: str) -> str:
    """Return why the API server would let no new pod into ``namespace`` now, in its own words; empty: it would.

    It is asked by a server-side dry run, which goes through all of admission and makes nothing. Raises ApiException: it says neither.
    """
    asked = body(client.V1Pod, question(platform.target.suite.fault_image))
    try:
        platform.core.create_namespaced_pod(namespace, asked, dry_run="All")
    except ApiException as error:
        if status_of(error) not in REFUSALS or UNGRANTED in message_of(error):
            raise
        return message_of(error)
    return ""


def question(image: str) -> dict[str, object]:
    """Return the manifest of a pod that is only asked about."""
    return {"metadata": {"generateName": "aftershock-question-", "labels": ASKED}, "spec": pod_spec(image)}


def pod_spec(image: str) -> dict[str, object]:
    """Return the specification of a pod that no namespace need refuse (Pod Security ``restricted``), and that nobody starts."""
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "10m", "memory": "16Mi"}}
    container = {"name": "question", "image": image, "command": [PYTHON], "resources": resources, "securityContext": CONFINED}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": AS_NOBODY,
        "containers": [container],
    }


def said_to_controllers(platform: Platform, namespace: str) -> list[str]:
    """Return what the API server told the controllers of ``namespace`` whose pods it refused. Raises ApiException.

    It is read from their Events, and from the conditions of ReplicaSets: of an object that has many Events, Kubernetes drops more
    (https://pkg.go.dev/k8s.io/client-go/tools/record#EventSourceObjectSpamFilter: 25 at once, then one in five minutes).
    """
    events = listed(platform.core.list_namespaced_event, namespace, page=METADATA_PAGE, field_selector=f"reason={FAILED}").items
    sets = listed(platform.apps.list_namespaced_replica_set, namespace).items
    conditions = (one for found in sets for one in found.status.conditions or () if one.type == FAILURE)
    said = (*cast("list[KubeEvent]", events), *conditions)
    return [str(one.message) for one in said if one.reason == FAILED]


def let_in(platform: Platform, undo: Undo) -> str:
    """Take away what refuses new pods; return what was done. What is gone is no fault. Raises ApiException."""
    if undo.kind is UndoKind.DELETE_WEBHOOK:
        with unless(404):
            client.AdmissionregistrationV1Api(platform.api).delete_validating_webhook_configuration(undo.object)
        return f"webhook configuration {undo.object}: gone; new pods are let into namespace {undo.namespace} again"
    namespace = undo.namespace or ""
    with unless(404):
        platform.core.delete_namespaced_resource_quota(undo.object, namespace)
    with unless(404):
        platform.batch.delete_namespaced_job(undo.object, namespace, propagation_policy="Background")
    return f"quota {namespace}/{undo.object} and the Job that would have ended it: gone; new pods are let in again"
