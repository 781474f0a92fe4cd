"""Training jobs: made of a template that never runs by itself (as ``kubectl create job --from=cronjob/NAME``), ended with the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from history.errors import TargetRefused
from history.workloads import JobLimits
from kube import plain_objects
from kube.client import Platform, api_errors, ready, unless
from kube.objects import Pod
from kube.wait import until
from runner.drivers.training.template import Template
from runner.stop import Stop
from target.job_kinds.kind import Ends, JobKind, Plain, failure

LIMITS = JobLimits()
KEPT_S = 60
END_S, POLL_S = 20.0, 0.5
KIND = "aftershock.dev/kind"
MANAGED = {"app.kubernetes.io/managed-by": "aftershock", KIND: "training"}
SELECTOR = ",".join(f"{key}={value}" for key, value in MANAGED.items())
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Awaited(NamedTuple):
    """What is waited for of a job, for how long (s), and what it is called if it does not come."""

    met: Callable[[], bool]
    limit_s: float
    otherwise: str


def manifest(
    template: Template,
    name: str,
    run_id: str,
    settings: Mapping[str, str],
    *,
    one_pod: bool = False,
    limit_s: float = LIMITS.job_s,
    labels: Mapping[str, str] | None = None,
) -> Plain:
    """Return the job called ``name``: the template with ``settings`` and ``labels``, ended after ``limit_s``.

    ``one_pod``: all ranks in a single pod, which no selector of a role may find.
    """
    ours, kind = {**MANAGED, "aftershock.dev/run": run_id[:63]}, template.kind
    job = kind.alone(template.job, template.container) if one_pod else template.job
    spec = kind.spec_of(job, partial(_pod, template, settings, ours if one_pod else None), Ends(math.ceil(limit_s), KEPT_S))
    written = job.get("metadata", {})
    metadata: Plain = {"name": name, "labels": {**written.get("labels", {}), **(labels or {}), **ours}}
    if notes := {key: value for key, value in written.get("annotations", {}).items() if key != APPLIED}:
        metadata["annotations"] = notes
    return {"apiVersion": kind.made.api_version, "kind": kind.made.kind, "metadata": metadata, "spec": spec}


def _pod(template: Template, settings: Mapping[str, str], alone: Mapping[str, str] | None, pod: Plain) -> Plain:
    """Return a pod template with ``settings``; ``alone``: the labels of one that holds the ranks of all, hidden from roles."""
    containers = [_with(item, settings) if item["name"] == template.container else item for item in pod["spec"]["containers"]]
    metadata = {**pod.get("metadata", {})}
    if alone is not None:
        containers = [{**item, "resources": resources_of(item, template.pods)} for item in containers]
        kept = {key: value for key, value in metadata.get("labels", {}).items() if key not in template.selecting}
        metadata["labels"] = {**kept, **alone}
    return {"metadata": metadata, "spec": {**pod["spec"], "containers": containers}}


def resources_of(container: Plain, pods: int) -> Plain:
    """Return what a container asks for that holds the ranks of ``pods``: their limits, and so many devices, which have no others.

    Requests of processors and memory stay those of one: the ranks take turns, and one node has to have room for them. Processors are not
    limited: a node that may use fewer than that limit could not start the container (its cgroup refuses the quota).
    """
    written = container.get("resources", {})
    limits = {name: _times(quantity, pods) for name, quantity in written.get("limits", {}).items() if name != "cpu"}
    requests = {
        name: limits[name] if "/" in name and name in limits else quantity for name, quantity in written.get("requests", {}).items()
    }
    return {**written, "requests": requests, "limits": limits}


def _times(quantity: str, pods: int) -> str:
    return quantity if pods == 1 else f"{parse_quantity(quantity) * pods:f}"


def _with(container: Plain, settings: Mapping[str, str]) -> Plain:
    kept = [one for one in container.get("env", []) if one["name"] not in settings]
    return {**container, "env": [*kept, *({"name": name, "value": value} for name, value in settings.items())]}


def create(platform: Platform, template: Template, job: Plain, *, dry_run: bool = False) -> None:
    """Create a job; one of that name that is there already is left as it is. ``dry_run``: only ask. Raises TargetRefused."""
    made, asked = template.kind.made, " (asked by a server-side dry run)" if dry_run else ""
    with api_errors(f"create {made.noun} {template.namespace}/{job['metadata']['name']}{asked}", TargetRefused), unless(409):
        plain_objects.create(platform, made, template.namespace, job, dry_run=dry_run)


def pods_of(platform: Platform, template: Template, name: str) -> list[Pod]:
    """Return the V1Pods of a job. Raises ApiException."""
    return platform.pods_in(template.namespace, f"{template.kind.pod_label}={name}")


def running(platform: Platform, template: Template, name: str) -> bool:
    """Tell whether all pods with ranks of a job are ready. Raises ApiException."""
    pods = pods_of(platform, template, name)
    of_ranks = [pod for pod in pods if any(one.name == template.container for one in pod.spec.containers)]
    return sum(map(ready, of_ranks)) >= template.pods


def given_up(platform: Platform, template: Template, name: str) -> str:
    """Return why the platform gave a job up, in its words; empty: it did not. Raises ApiException."""
    found = plain_objects.listed(platform, template.kind.made, template.namespace, SELECTOR)
    return next((failure(one) for one in found if one["metadata"]["name"] == name), "")


def delete(platform: Platform, kind: JobKind, namespace: str, name: str) -> None:
    """Delete a job and its pods; none of that name is success. Raises ApiException."""
    with unless(404):
        plain_objects.delete(platform, kind.made, namespace, name)


def end(platform: Platform, template: Template, name: str) -> None:
    """End a job: its pods get their grace for a while, then none. Idempotent. Raises ApiException."""
    delete(platform, template.kind, template.namespace, name)
    if not until(lambda: not pods_of(platform, template, name), END_S, POLL_S):
        delete_pods_now(platform, pods_of(platform, template, name))


def wait(platform: Platform, template: Template, name: str, condition: Awaited, stop: Stop) -> None:
    """Wait until a job is so far. Raises TargetRefused: it took too long, or the platform gave the job up."""
    gave_up = ""

    def over() -> bool:
        nonlocal gave_up
        if condition.met():
            return True
        gave_up = given_up(platform, template, name)
        return bool(gave_up)

    with api_errors(condition.otherwise, TargetRefused):
        in_time = until(over, condition.limit_s, POLL_S, stop.wait)
    if gave_up or not in_time:
        noun = template.kind.made.noun
        why = f", and the {noun} has failed ({gave_up})" if gave_up else f" after {condition.limit_s:.0f} s"
        raise TargetRefused(f"{condition.otherwise}{why}; nothing was injected; see kubectl describe {noun} and its pods' logs")


def delete_pods_now(platform: Platform, pods: list[Pod]) -> None:
    """Delete pods without grace: their job is gone and its ledger was read. Raises ApiException."""
    for pod in pods:
        options = client.V1DeleteOptions(grace_period_seconds=0, preconditions=client.V1Preconditions(uid=pod.metadata.uid))
        with unless(404, 409):
            platform.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, body=options)
