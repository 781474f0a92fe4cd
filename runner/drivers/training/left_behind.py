"""Training jobs whose run is dead: found by their labels, of whatever kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from history.errors import TargetRefused
from kube import plain_objects
from kube.client import Platform, api_errors, unless_forbidden
from runner.drivers.training import job as jobs
from runner.drivers.training.job import KIND, MANAGED, SELECTOR
from runner.drivers.training.template import Template
from safety.leases import alive_runs
from target.job_kinds.kind import JobKind, condition, job_kind
from target.training import TrainingClass


class LeftJob(NamedTuple):
    """A training job of a run that is dead."""

    kind: JobKind
    namespace: str
    name: str

    @property
    def where(self) -> str:
        """How sentences call it."""
        return f"training {self.kind.made.noun} {self.namespace}/{self.name}"


def left_behind(platform: Platform, alive: frozenset[str]) -> list[LeftJob]:
    """Return the training jobs that dead runs left, as far as they may be listed. Raises TargetRefused."""
    left: list[LeftJob] = []
    with api_errors("look for training jobs of earlier runs", TargetRefused):
        for kind, namespace in _places(platform):
            names = unless_forbidden(partial(orphans, platform, kind, namespace, alive), list[str]())
            left += [LeftJob(kind, namespace, name) for name in names]
    return left


def _places(platform: Platform) -> Iterator[tuple[JobKind, str]]:
    """Yield where jobs of which kind may be."""
    classes = [one for one in platform.target.workloads.values() if isinstance(one, TrainingClass)]
    found = {(one.job.kind, platform.target.role(one.role).namespace) for one in classes}
    yield from ((job_kind(kind), namespace) for kind, namespace in sorted(found))


def orphans(platform: Platform, kind: JobKind, namespace: str, alive: frozenset[str]) -> list[str]:
    """Return the jobs that runs of this suite left: made by one that is not alive any more. Raises ApiException."""
    ours = {run[:63] for run in alive}
    found = [(job, job["metadata"].get("labels", {})) for job in plain_objects.listed(platform, kind.made, namespace, SELECTOR)]
    dead = [job for job, labels in found if labels.get(KIND) == MANAGED[KIND] and labels["aftershock.dev/run"] not in ours]
    return [job["metadata"]["name"] for job in dead if not condition(job, kind.done)]


def ranks_of_others(platform: Platform, template: Template, role: str, run_id: str, *, looks_only: bool) -> list[str]:
    """Return the pods of ``role`` that are of another job than this run's, after ending jobs of runs that are gone. Raises ApiException.

    ``looks_only``: none is ended, and what would be does not count.
    """
    gone, leaving = orphans(platform, template.kind, template.namespace, alive_runs(platform) | {run_id}), set[str]()
    for name in gone:
        if looks_only:
            leaving |= {pod.metadata.name for pod in jobs.pods_of(platform, template, name)}
        else:
            jobs.delete(platform, template.kind, template.namespace, name)
    there = [pod.metadata.name for pod in platform.pods(role) if pod.metadata.deletion_timestamp is None]
    return [name for name in there if name not in leaving]
