"""The target file: which platform the suite may touch, and how. Pointing the suite at another platform is writing this one file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from history.errors import ConfigError
from history.values import Share, Written
from target import requests, schema1, training  # noqa: F401 - requests and training are kinds of workload: they register
from target.alerts import alert_refusals
from target.mistakes import Refusal, parse, refuse, sentence
from target.not_built import not_built
from target.references import loose_ends
from target.region import Region
from target.role import Role
from target.secrets import credentials
from target.stop_when import Blackout, StopWhen
from target.workload import AnyClass, WorkloadClass
from target.yaml_source import read_located

EXAMPLE = "targets/staging.example.yaml"
Class = TypeVar("Class", bound=WorkloadClass)
CONSENT = re.compile(r"[^=\s]+=[^=\s]+")


class Suite(Written):
    """Where the suite lives in each region, and what it runs there."""

    namespace: str = "aftershock"
    image: str = "aftershock/suite:dev"  # runner, load pods, reaper
    fault_image: str = Field(
        default_factory=lambda known: known.get("image", "")
    )  # fault pods, ephemeral containers; left out: the suite's


class Limits(Written):
    """Blast radius: a fault that would touch more is refused."""

    pods: int = Field(default=3, ge=0)
    nodes: int = Field(default=2, ge=0)
    share_of_role: Share = 0.67


class Stack(Written):
    """A part of the platform: the user's own, or set up by the suite."""

    owned: bool = False


class Target(Written):
    """``targets/*.yaml``."""

    schema_version: Literal[2] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]+$")
    suite: Suite = Suite()
    consent_label: str = "aftershock.dev/chaos=allowed"
    regions: dict[str, Region] = Field(min_length=1)
    roles: dict[str, Role]
    limits: Limits = Limits()
    stop_when: tuple[StopWhen, ...] = ()  # asked every second of every run
    blackouts: tuple[Blackout, ...] = ()
    workloads: dict[str, AnyClass]
    stacks: dict[str, Stack] = Field(default_factory=dict)
    fidelity: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_used(self) -> Target:
        """List every name that leads nowhere, what is unsafe, and what is not built yet."""
        refuse(type(self).__name__, [*loose_ends(self), *self._unsafe(), *not_built(self), *self._of_workloads(), *alert_refusals(self)])
        return self

    def _unsafe(self) -> Iterator[Refusal]:
        for name, region in self.regions.items():
            yield from ((("regions", name, *keys), sentence) for keys, sentence in credentials.in_region(region))
            if self.suite.namespace in region.namespaces:
                yield ("suite", "namespace"), f"{self.suite.namespace!r} must not be under namespaces, faults would hit the suite itself"
        if not CONSENT.fullmatch(self.consent_label):
            yield ("consent_label",), f"{self.consent_label!r} is not KEY=VALUE"

    def _of_workloads(self) -> Iterator[Refusal]:
        for name, workload in self.workloads.items():
            yield from ((("workloads", name, *keys), sentence) for keys, sentence in workload.refusals(self))

    def workload(self, name: str, model: type[Class]) -> Class:
        """Return class ``name`` (which is there) as ``model``. Raises ConfigError: it is of another kind."""
        found = self.workloads[name]
        if not isinstance(found, model):
            kind = model.model_fields["kind"].default
            raise ConfigError(f"target {self.name}: class {name!r} is of kind {found.kind}; a class of kind {kind} is needed, name one")
        return found

    def only_region_name(self) -> str:
        """Return the name of the one region. Raises ConfigError: there are more, and the suite runs in one as yet."""
        if len(self.regions) > 1:
            names = ", ".join(self.regions)
            raise ConfigError(f"target {self.name} has regions {names}; the suite runs in one region as yet: leave the others out")
        return next(iter(self.regions))

    def only_region(self) -> Region:
        """Return the one region (same errors as :meth:`only_region_name`)."""
        return self.regions[self.only_region_name()]

    def role(self, name: str) -> Role:
        """Return the role called ``name``. Raises ConfigError: the target has no such role."""
        try:
            return self.roles[name]
        except (KeyError, TypeError):  # a list is no name
            raise ConfigError(f"target {self.name}: role {name!r} is not there; it has {sorted(self.roles)}; add it under roles") from None

    def regions_of(self, role: str) -> tuple[str, ...]:
        """Return the names of the regions that have ``role`` (which is there)."""
        return self.roles[role].regions or tuple(self.regions)

    def configuration(self) -> dict[str, str]:
        """Return what experiment files may use as ``${inference_selector}``, ``${inference_namespace}`` and so on."""
        region = self.only_region()
        flat = {"prometheus_endpoint": region.prometheus.url} if region.prometheus else {}
        flat |= {f"{key}_endpoint": url for key, url in region.endpoints.items()}
        for name, role in self.roles.items():
            flat |= {f"{name}_{key}": value for key, value in role.configuration().items()}
        return flat


def load_target(path: Path, environment: Mapping[str, str] = os.environ) -> Target:
    """Read a target file of schema 2 or 1.

    Raises:
        ConfigError: unreadable or wrong; every mistake is listed with file, line and key.

    """
    located = read_located(path, EXAMPLE)
    if schema1.is_schema1(located.data):
        return schema1.parsed(located, Target)
    target = parse(located, Target, located.data)
    if lacking := list(_lacking(target, environment)):
        raise ConfigError("\n".join(sentence(located, keys, what) for keys, what in lacking))
    return target


def _lacking(target: Target, environment: Mapping[str, str]) -> Iterator[Refusal]:
    """Yield what the file names and is not on this machine."""
    for name, region in target.regions.items():
        for keys, what in region.prometheus.lacking(environment) if region.prometheus else ():
            yield ("regions", name, "prometheus", *keys), what
