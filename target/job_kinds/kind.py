"""What a kind of job is: pure shapes, nothing is asked of a cluster.

A module of this folder that registers a kind by :func:`register` is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

import target.job_kinds

Plain = dict[str, Any]  # an object of the API, or a part of one, as JSON has it
FAILED = "Failed"  # the condition's type, of a Job and of a JobSet


class Resource(NamedTuple):
    """A resource of the API server."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As manifests write it."""
        return f"{self.group}/{self.version}"

    @property
    def noun(self) -> str:
        """As sentences and kubectl write it: ``cronjob``."""
        return self.kind.lower()


class PodTemplate(NamedTuple):
    """A pod template of a job (``metadata``, ``spec``), and how many pods of it run at the same time."""

    pod: Plain
    pods: int

    def container(self, name: str | None) -> Plain | None:
        """Return the container of that name (None: the first); None: it has no such container."""
        containers: list[Plain] = self.pod.get("spec", {}).get("containers", [])
        return next((one for one in containers if name in {None, one["name"]}), None)


class Ends(NamedTuple):
    """When a job ends whatever becomes of its run, and how long it is kept after that (s)."""

    deadline_s: int
    kept_s: int


class JobKind(Protocol):
    """A kind of template. A *job* is ``{"metadata": {"labels", "annotations"}, "spec"}`` of what is made, as the template says it."""

    template: ClassVar[Resource]
    """What is read; its kind is the name in target files."""
    made: ClassVar[Resource]
    """What a run makes."""
    pod_label: ClassVar[str]
    """The label of its pods whose value is the name of what was made."""
    done: ClassVar[str]
    """The type of the condition that says that it ended well; FAILED says the other."""

    def complaint(self, written: Plain) -> str:
        """Return why an object cannot be a template, as half a sentence after its name; empty: it can."""

    def job_of(self, written: Plain) -> Plain:
        """Return the job of a template about which there is no complaint."""

    def pod_templates(self, job: Plain) -> list[PodTemplate]:
        """Return its pod templates."""

    def alone(self, job: Plain, container: str) -> Plain:
        """Return the job with one pod, of the first template that has that container."""

    def spec_of(self, job: Plain, change: Callable[[Plain], Plain], ends: Ends) -> Plain:
        """Return the spec of what is made: each pod template changed, started at once, ended by ``ends``."""

    def remarks(self, job: Plain) -> list[str]:
        """Return what a person should know of how the platform treats it, as half sentences after its name."""


_KINDS: dict[str, JobKind] = {}


def register(kind: type[JobKind]) -> type[JobKind]:
    """Let target files name this kind."""
    _KINDS[kind.template.kind] = kind()
    return kind


def known_kinds() -> dict[str, JobKind]:
    """Return every kind by its name in target files: those of this folder, and what else was registered."""
    for module in pkgutil.iter_modules(target.job_kinds.__path__):
        importlib.import_module(f"{target.job_kinds.__name__}.{module.name}")
    return dict(sorted(_KINDS.items()))


def job_kind(name: str) -> JobKind:
    """Return a kind that target files may name (they were checked)."""
    return known_kinds()[name]


def condition(thing: Plain, kind: str) -> Plain | None:
    """Return the condition of that type, if it is true."""
    conditions: list[Plain] = thing.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), None)


def failure(thing: Plain) -> str:
    """Return why the platform gave a job up, in its own words (reason and message); empty: it did not."""
    found = condition(thing, FAILED)
    return f"{found.get('reason') or FAILED}: {found.get('message') or 'no message'}" if found else ""
