"""Training jobs whose run is dead: found by their labels, of whatever kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from history.errors import TargetRefused
from kube import plain_objects
from kube.client import Platform, api_errors, unless_forbidden
from runner.drivers.training.job import KIND, MANAGED, SELECTOR
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
