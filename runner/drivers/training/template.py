"""The template of which a class's training jobs are made: read, checked, and what it sets.

What it looks like is its kind's to say (:mod:`target.job_kinds`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from history.errors import TargetRefused
from history.workloads import TrainingJob
from kube import plain_objects
from kube.client import Platform, api_errors
from kube.permissions import Permission
from target.job_kinds.kind import JobKind, Plain, PodTemplate, job_kind


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
    kind: JobKind = field(default_factory=partial(job_kind, "CronJob"))

    @property
    def where(self) -> str:
        """How sentences call it: ``cronjob ml-training/trainer``."""
        return f"{self.kind.template.noun} {self.namespace}/{self.name}"

    @property
    def of_ranks(self) -> list[PodTemplate]:
        """The pod templates whose container runs ranks: one at least."""
        return [one for one in self.kind.pod_templates(self.job) if one.container(self.container)]

    @property
    def pods(self) -> int:
        """How many pods with ranks a job has."""
        return sum(one.pods for one in self.of_ranks)

    @property
    def pod(self) -> Plain:
        """The spec of the pods with ranks; of several, the first."""
        spec: Plain = self.of_ranks[0].pod["spec"]
        return spec

    @property
    def image(self) -> str:
        """The image that its ranks run."""
        return str((self.of_ranks[0].container(self.container) or {}).get("image", ""))

    def number(self, name: str, otherwise: int | None = None) -> int:
        """Return a setting that is a whole number. Raises TargetRefused: it is missing, or none."""
        text = self.environment.get(name, "" if otherwise is None else str(otherwise))
        if not text.isdecimal():
            raise TargetRefused(f"{self.where}: it sets {name}={text!r}, expected a whole number; set it there")
        return int(text)


def job_permissions(kind: JobKind, namespace: str) -> list[Permission]:
    """Return what making, watching and ending a job of ``kind`` in ``namespace`` needs."""
    template, made = kind.template, kind.made
    needed = [Permission(verb, made.plural, made.group, namespace) for verb in ("create", "list", "delete")]
    needed += [Permission("get", template.plural, template.group, namespace), Permission("get", "configmaps", namespace=namespace)]
    return needed + [Permission(verb, "pods", namespace=namespace) for verb in ("list", "delete")]


def read_template(platform: Platform, namespace: str, written: TrainingJob, container: str | None, settings: Mapping[str, str]) -> Template:
    """Read the template of ``written``; ``settings`` win over what it sets.

    Raises:
        TargetRefused: its kind is not installed, it is not there, it cannot be a template, or it has no such container.

    """
    kind, name = job_kind(written.kind), written.template
    where = f"{kind.template.noun} {namespace}/{name}"
    with api_errors(f"read {where}, of which training jobs are made", TargetRefused):
        if not plain_objects.served(platform, kind.template):
            missing = f"the API server serves no {kind.template.plural} of {kind.template.api_version}"
            raise TargetRefused(f"{where}: {missing}; install {kind.template.kind} in this cluster, or name another kind of job")
        found = plain_objects.read(platform, kind.template, namespace, name)
        if complaint := kind.complaint(found):
            raise TargetRefused(f"{where}: {complaint}")
        job = kind.job_of(found)
        chosen = next(filter(None, (one.container(container) for one in kind.pod_templates(job))), None)
        if chosen is None:
            raise TargetRefused(f"{where}: it has no container {container!r}; correct the role's container")
        environment = _environment(platform, namespace, chosen)
    selecting = frozenset(key for role in platform.target.roles.values() for key in keys_of(role.selector))
    return Template(namespace, name, chosen["name"], job, environment | dict(settings), environment, selecting, kind)


def _environment(platform: Platform, namespace: str, container: Plain) -> dict[str, str]:
    """Return what a container sets, as far as it is known before a pod runs. Raises ApiException."""
    environment: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            environment |= platform.core.read_namespaced_config_map(source["configMapRef"]["name"], namespace).data or {}
    return environment | {item["name"]: item["value"] for item in container.get("env", []) if "value" in item}


def keys_of(selector: str) -> list[str]:
    """Return the keys of labels that a selector asks for."""
    return re.findall(r"(?:^|,)\s*!?\s*([\w./-]+)", re.sub(r"\([^)]*\)", "", selector))
