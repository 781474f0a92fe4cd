"""The target file: which platform the suite may touch, and how. Pointing the suite at another platform is writing this one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from history.errors import ConfigError
from history.values import Seconds, Share, Written
from target import credentials
from target.mistakes import parse, refuse
from target.stop_when import Blackout, StopWhen
from target.workload import WorkloadClass
from target.yaml_source import Keys, read_located

EXAMPLE = "targets/staging.example.yaml"
CONSENT = re.compile(r"[^=\s]+=[^=\s]+")


class Role(Written):
    """What plays one role on the platform: pods of one selector in one namespace."""

    namespace: str
    selector: str = Field(min_length=3, pattern=r"^.+=.+$")
    deployment: str | None = None
    service: str | None = None
    container: str | None = None
    port: int | None = None
    health: str | None = None  # path of the health endpoint on ``port``
    of_run: bool = False  # its pods are made by each run and gone after it: a training job's ranks
    engine: str | None = None  # how the worker process inside a pod is recognised: a substring of its command line


class Instrument(Written):
    """Something the measurement depends on; no fault may touch it or its node."""

    namespace: str
    selector: str = Field(min_length=3, pattern=r"^.+=.+$")


class CommandDriver(Written):
    """A driver for machines or GPUs: commands with ``{node}``, ``{index}``, ``{seconds}`` filled in, run without a shell.

    ``fail`` must end by itself after ``{seconds}`` even if nobody is left: it is a board management controller's place.
    """

    driver: Literal["command"] = "command"
    fail: tuple[str, ...]
    repair: tuple[str, ...]
    fidelity: str = ""  # what a reviewer must know, e.g. "substitute device"


class Balancer(Written):
    """How the load balancer in front of the cluster checks what is behind it. Nothing reads it any more; files that say it stay valid."""

    interval: Seconds
    fall: int = Field(gt=0)
    timeout: Seconds


class Limits(Written):
    """Blast radius: a fault that would touch more is refused."""

    pods: int = 3
    nodes: int = 2
    share_of_role: Share = 0.67


class Target(Written):
    """``targets/*.yaml``."""

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]+$")
    context: str
    server: str = Field(pattern=r"^https?://.+")
    kubeconfig: str | None = None
    suite_namespace: str = "aftershock"
    namespaces: tuple[str, ...] = Field(min_length=1)
    consent_label: str = "aftershock.dev/chaos=allowed"
    suite_image: str = "aftershock/suite:dev"  # runner, load pods, reaper
    fault_image: str = Field(
        default_factory=lambda known: known.get("suite_image", "")
    )  # fault pods, ephemeral containers; the suite's does
    zone_label: str = "topology.kubernetes.io/zone"
    gpu_resource: str = "nvidia.com/gpu"
    endpoints: dict[str, str]
    prometheus: str | None = None  # a key of ``endpoints``
    balancer: Balancer | None = None
    shared_machine: str | None = None  # control group of the platform, if the suite runs on its machine: what others use there is watched
    roles: dict[str, Role]
    instruments: tuple[Instrument, ...] = ()
    limits: Limits = Limits()
    stop_when: tuple[StopWhen, ...] = ()  # asked every second of every run
    blackouts: tuple[Blackout, ...] = ()
    machines: CommandDriver | None = None
    gpus: CommandDriver | None = None
    workloads: dict[str, WorkloadClass]
    fidelity: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Target:
        """List every name that leads nowhere."""
        refuse(type(self).__name__, [*self._loose_ends(), *self._unsafe()])
        return self

    def _loose_ends(self) -> Iterator[tuple[Keys, str]]:
        for name, workload in self.workloads.items():
            place = ("workloads", name)
            if workload.role not in self.roles:
                yield (*place, "role"), f"{workload.role!r} is not under roles"
            if workload.written_load is not None and workload.load.endpoint not in self.endpoints:
                yield (*place, "load", "endpoint"), f"{workload.load.endpoint!r} is not under endpoints"
            if workload.training is not None and workload.training.storage not in self.roles:
                yield (*place, "training", "storage"), f"{workload.training.storage!r} is not under roles"
        if self.prometheus is not None and self.prometheus not in self.endpoints:
            yield ("prometheus",), f"{self.prometheus!r} is not under endpoints"
        if self.prometheus is None and any(condition.promql for condition in self.stop_when):
            yield ("stop_when",), "promql needs prometheus, a key of endpoints"

    def _unsafe(self) -> Iterator[tuple[Keys, str]]:
        loads = {name: workload.load for name, workload in self.workloads.items() if workload.written_load}
        yield from credentials.in_target(self.endpoints, {name: load.headers for name, load in loads.items()})
        if not CONSENT.fullmatch(self.consent_label):
            yield ("consent_label",), f"{self.consent_label!r} is not KEY=VALUE"
        if self.suite_namespace in self.namespaces:
            yield ("suite_namespace",), f"{self.suite_namespace!r} must not be under namespaces, faults would hit the suite itself"

    def role(self, name: str) -> Role:
        """Return the role called ``name``. Raises ConfigError: the target has no such role."""
        try:
            return self.roles[name]
        except (KeyError, TypeError):  # a list is no name
            raise ConfigError(f"target {self.name}: role {name!r} is not there; it has {sorted(self.roles)}; add it under roles") from None

    def configuration(self) -> dict[str, str]:
        """Return what experiment files may use as ``${inference_selector}``, ``${inference_namespace}`` and so on."""
        flat = {f"{key}_endpoint": url for key, url in self.endpoints.items()}
        for name, role in self.roles.items():
            flat |= {f"{name}_{key}": str(value) for key, value in role.model_dump().items() if value is not None}
        return flat


def load_target(path: Path) -> Target:
    """Read a target file. Raises ConfigError: unreadable or wrong; every mistake is listed with file, line and key."""
    located = read_located(path, EXAMPLE)
    return parse(located, Target, located.data)
