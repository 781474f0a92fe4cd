"""Training jobs: made of a CronJob that never runs by itself (as ``kubectl create job --from=cronjob/NAME``), ended with the run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from history.errors import TargetRefused
from history.workloads import JobLimits
from kube.client import Platform, api_errors, unless, unless_forbidden
from kube.objects import Pod
from kube.permissions import Permission
from target.training import TrainingClass

LIMITS = JobLimits()
KEPT_S = 60
KIND = "aftershock.dev/kind"
MANAGED = {"app.kubernetes.io/managed-by": "aftershock", KIND: "training"}
Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """What jobs are made of.

    ``own``: what the template sets for its container, as far as it is known before a pod runs. ``environment``: that, with what the run
    sets otherwise (None: nobody told them apart). ``selecting``: keys of labels by which roles select their pods.
    """

    namespace: str
    name: str
    container: str
    job: Plain
    environment: Mapping[str, str]
    own: Mapping[str, str] | None = None
    selecting: frozenset[str] = frozenset()

    @property
    def pods(self) -> int:
        """How many pods a job has."""
        return int(self.job["spec"].get("completions") or 1)

    @property
    def image(self) -> str:
        """The image that its ranks run."""
        containers = self.job["spec"]["template"]["spec"]["containers"]
        return next((str(one.get("image", "")) for one in containers if one.get("name") == self.container), "")

    def number(self, name: str, otherwise: int | None = None) -> int:
        """Return a setting that is a whole number. Raises TargetRefused: it is missing, or none."""
        text = self.environment.get(name, "" if otherwise is None else str(otherwise))
        if not text.isdecimal():
            raise TargetRefused(f"cronjob {self.namespace}/{self.name}: it sets {name}={text!r}, expected a whole number; set it there")
        return int(text)


def job_permissions(namespace: str) -> list[Permission]:
    """Return what making, watching and ending a job in ``namespace`` needs."""
    needed = [Permission(verb, "jobs", "batch", namespace) for verb in ("create", "list", "delete")]
    needed += [Permission("get", "cronjobs", "batch", namespace), Permission("get", "configmaps", namespace=namespace)]
    return needed + [Permission(verb, "pods", namespace=namespace) for verb in ("list", "delete")]


def read_template(platform: Platform, namespace: str, name: str, container: str | None, settings: Mapping[str, str]) -> Template:
    """Read the CronJob ``name``; ``settings`` win over what it sets. Raises TargetRefused: it is not there, or has no such container."""
    with api_errors(f"read cronjob {namespace}/{name}, of which training jobs are made", TargetRefused):
        plain: Plain = _plain(platform, platform.batch.read_namespaced_cron_job(name, namespace))["spec"]["jobTemplate"]
        containers = plain["spec"]["template"]["spec"]["containers"]
        chosen = next((item for item in containers if container in {None, item["name"]}), None)
        if chosen is None:
            raise TargetRefused(f"cronjob {namespace}/{name}: it has no container {container!r}; correct the role's container")
        environment: dict[str, str] = {}
        for source in chosen.get("envFrom", []):
            if "configMapRef" in source:
                environment |= platform.core.read_namespaced_config_map(source["configMapRef"]["name"], namespace).data or {}
    environment |= {item["name"]: item["value"] for item in chosen.get("env", []) if "value" in item}
    selecting = frozenset(key for role in platform.target.roles.values() for key in keys_of(role.selector))
    return Template(namespace, name, chosen["name"], plain, environment | dict(settings), environment, selecting)


def keys_of(selector: str) -> list[str]:
    """Return the keys of labels that a selector asks for."""
    return re.findall(r"(?:^|,)\s*!?\s*([\w./-]+)", re.sub(r"\([^)]*\)", "", selector))


def manifest(
    template: Template, name: str, run_id: str, settings: Mapping[str, str], *, one_pod: bool = False, limit_s: float = LIMITS.job_s
) -> Plain:
    """Return the Job called ``name``: the template with ``settings``, ended after ``limit_s``; ``one_pod``: all ranks in a single pod."""
    ours = {**MANAGED, "aftershock.dev/run": run_id[:63]}
    spec: Plain = {**template.job["spec"], "activeDeadlineSeconds": math.ceil(limit_s), "ttlSecondsAfterFinished": KEPT_S}
    pod, of_pod = spec["template"]["spec"], {**spec["template"].get("metadata", {})}
    containers = [_with(item, settings) if item["name"] == template.container else item for item in pod["containers"]]
    if one_pod:  # no rank of a run: no selector of a role may find it
        spec |= {"completions": 1, "parallelism": 1}
        containers = [{**item, "resources": resources_of(item, template.pods)} for item in containers]
        of_pod["labels"] = {key: value for key, value in of_pod.get("labels", {}).items() if key not in template.selecting} | ours
    labels = {**template.job.get("metadata", {}).get("labels", {}), **ours}
    spec["template"] = {"metadata": of_pod, "spec": {**pod, "containers": containers}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}


def resources_of(container: Plain, pods: int) -> Plain:
    """Return what a container asks for that holds the ranks of ``pods``: their limits, and so many devices, which have no others.

    Requests of processors and memory stay those of one: the ranks take turns, and one node has to have room for them.
    """
    written = container.get("resources", {})
    limits = {name: _times(quantity, pods) for name, quantity in written.get("limits", {}).items()}
    requests = {
        name: limits[name] if "/" in name and name in limits else quantity for name, quantity in written.get("requests", {}).items()
    }
    return {**written, "requests": requests, "limits": limits}


def _times(quantity: str, pods: int) -> str:
    return quantity if pods == 1 else f"{parse_quantity(quantity) * pods:f}"


def _with(container: Plain, settings: Mapping[str, str]) -> Plain:
    kept = [one for one in container.get("env", []) if one["name"] not in settings]
    return {**container, "env": [*kept, *({"name": name, "value": value} for name, value in settings.items())]}


def create(platform: Platform, namespace: str, job: Plain) -> None:
    """Create a Job; one of that name that is there already is left as it is. Raises TargetRefused."""
    name, body = job["metadata"]["name"], cast("client.V1Job", job)  # the API takes it as it is
    with api_errors(f"create job {namespace}/{name}", TargetRefused), unless(409):
        platform.batch.create_namespaced_job(namespace, body)


def pods_of(platform: Platform, namespace: str, name: str) -> list[Pod]:
    """Return the V1Pods of a Job. Raises ApiException."""
    return platform.pods_in(namespace, f"batch.kubernetes.io/job-name={name}")


def delete(platform: Platform, namespace: str, name: str) -> None:
    """Delete a Job and its pods; none of that name is success. Raises ApiException."""
    with unless(404):
        platform.batch.delete_namespaced_job(name, namespace, propagation_policy="Background")


def delete_pods_now(platform: Platform, pods: list[Pod]) -> None:
    """Delete pods without grace: their job is gone and its ledger was read. Raises ApiException."""
    for pod in pods:
        options = client.V1DeleteOptions(grace_period_seconds=0, preconditions=client.V1Preconditions(uid=pod.metadata.uid))
        with unless(404, 409):
            platform.core.delete_namespaced_pod(pod.metadata.name, pod.metadata.namespace, body=options)


def left_behind(platform: Platform, alive: frozenset[str]) -> list[tuple[str, str]]:
    """Return (namespace, name) of the training jobs that dead runs left, as far as they may be listed. Raises TargetRefused."""
    target = platform.target
    namespaces = sorted(
        {target.role(workload.role).namespace for workload in target.workloads.values() if isinstance(workload, TrainingClass)}
    )
    left: list[tuple[str, str]] = []
    with api_errors("look for training jobs of earlier runs", TargetRefused):
        for namespace in namespaces:
            left += [(namespace, name) for name in unless_forbidden(partial(orphans, platform, namespace, alive), list[str]())]
    return left


def orphans(platform: Platform, namespace: str, alive: frozenset[str]) -> list[str]:
    """Return the jobs that runs of this suite left: made by one that is not alive any more. Raises ApiException."""
    selector = ",".join(f"{key}={value}" for key, value in MANAGED.items())
    ours = {run[:63] for run in alive}
    found = [(job, job.metadata.labels or {}) for job in platform.jobs_in(namespace, selector)]
    dead = [job for job, labels in found if labels.get(KIND) == MANAGED[KIND] and labels["aftershock.dev/run"] not in ours]
    return [job.metadata.name for job in dead if not (job.status.succeeded or 0)]


def _plain(platform: Platform, thing: object) -> Plain:
    api: Any = platform.api  # the library ships no types for this
    found: Plain = api.sanitize_for_serialization(thing)
    return found
