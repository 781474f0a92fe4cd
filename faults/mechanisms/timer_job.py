"""A Job without pods, as a timer in the cluster: what it owns is deleted when its time is over, whoever is left.

A Job with ``parallelism: 0`` makes no pod. Its controller still ends it after ``activeDeadlineSeconds``. Then it is deleted at once by its
``ttlSecondsAfterFinished: 0``, and Kubernetes' garbage collector deletes what names it as its owner. All that is the controller manager's
work. So a timer must be seen to run before anything is left to it: what holds Jobs back, such as a queue, would let it last for ever.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

from __future__ import annotations

import math

from kubernetes import client

from history.errors import FaultFailed
from kube.client import Platform, api_errors
from kube.objects import body
from kube.permissions import Permission
from kube.wait import until
from safety.new_pods import MANAGED, pod_spec

LABELS = MANAGED | {"aftershock.dev/kind": "timer"}
START_S = 10.0  # for the Job controller to see it
ENDS = "a Job without pods is over after {for_s:g} s, and Kubernetes deletes what it owns with it"


def permissions(namespace: str) -> list[Permission]:
    """Return what making a timer, seeing it at work and removing it needs."""
    return [Permission(verb, "jobs", "batch", namespace) for verb in ("create", "get", "delete")]


def start(platform: Platform, name: str, namespace: str, for_s: float) -> dict[str, object]:
    """Start a timer of ``for_s`` seconds and wait until it runs; return what names it as an owner.

    Raises:
        FaultFailed: it could not be made, or nobody runs it after 10 s.

    """
    with api_errors(f"make the timer job {namespace}/{name}", FaultFailed):
        platform.batch.create_namespaced_job(namespace, body(client.V1Job, manifest(platform, name, for_s)))
        uid = until(lambda: _running(platform, name, namespace), START_S)
    if not uid:
        raise FaultFailed(
            f"job {namespace}/{name}: its controller has not begun it after {START_S:g} s, so nobody would end what it owns; nothing was "
            "refused; is the controller manager at work, or does a queue hold Jobs back in this namespace?"
        )
    return {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}


def manifest(platform: Platform, name: str, for_s: float) -> dict[str, object]:
    """Return the Job's manifest; of its pod there is only the form."""
    return {
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "parallelism": 0,
            "activeDeadlineSeconds": math.ceil(for_s),
            "ttlSecondsAfterFinished": 0,
            "template": {"metadata": {"labels": LABELS}, "spec": pod_spec(platform.target.suite.fault_image)},
        },
    }


def _running(platform: Platform, name: str, namespace: str) -> str:
    """Return the uid of a timer that its controller has begun; empty: it has not."""
    job = platform.batch.read_namespaced_job(name, namespace)
    return str(job.metadata.uid) if job.status and job.status.start_time and job.metadata else ""
