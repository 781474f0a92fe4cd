"""The target file: which platform the suite may touch, and how. Pointing the suite at another platform is writing this one file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from history.errors import ConfigError
from history.plan import Retry, Slo
from target import credentials
from target.stop_when import Blackout, StopWhen

DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def parse_duration(value: object) -> float:
    """Return seconds of ``30s``, ``5m``, ``1h30m``, ``250ms`` or a plain number of seconds.

    Raises:
        ValueError: anything else.

    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:  # not negative, not endless, not nan
        return float(value)
    match = DURATION.fullmatch(str(value).strip())
    if not match or not any(match.groups()):
        raise ValueError(f"{value!r} is not a duration; write 30s, 5m, 1h30m or 250ms")
    return sum(float(part or 0) * scale for part, scale in zip(match.groups(), (3600, 60, 1, 0.001), strict=True))


def parse_share(value: object) -> float:
    """Return 0.99 of ``99%`` or of 0.99. Raises ValueError: not a share between 0 and 1."""
    text = str(value).strip()
    share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 <= share <= 1:
        raise ValueError(f"{value!r} is not a share; write 99% or 0.99")
    return share


Part = TypeVar("Part")
CONSENT = re.compile(r"[^=\s]+=[^=\s]+")
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Share = Annotated[float, BeforeValidator(parse_share)]


class Written(BaseModel):
    """Base of models of files that people write: every unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class WrittenBudgets(Written):
    """Budgets as people write them: durations and percentages."""

    rto: Seconds | None = None
    rpo_requests: int | None = None
    availability: Share | None = None
    p95_ratio: float | None = None
    capacity_rto: Seconds | None = None
    rpo_steps: int | None = Field(default=None, ge=0)
    rpo_samples: int | None = Field(default=None, ge=0)


class WrittenSlo(Written):
    """When one request is good, and which share of them must be."""

    ratio: Share
    latency: Seconds
    ttft: Seconds | None = None
    max_gap: Seconds | None = None

    def slo(self) -> Slo:
        """Return it in the units of the history (ms)."""
        return Slo(
            ratio=self.ratio,
            latency_ms=self.latency * 1e3,
            ttft_ms=None if self.ttft is None else self.ttft * 1e3,
            max_gap_ms=None if self.max_gap is None else self.max_gap * 1e3,
        )


class WrittenMix(Written):
    """One kind of request."""

    weight: float = Field(gt=0)
    stream: bool = False
    max_tokens: tuple[int, int]
    prompt_chars: tuple[int, int] = (1, 10_000)


class WrittenLoad(Written):
    """What the load generator offers to this class."""

    endpoint: str  # a key of ``endpoints``
    model: str
    rate_rps: float = Field(gt=0)
    arrivals: Literal["poisson", "constant"] = "poisson"
    mix: tuple[WrittenMix, ...] = Field(min_length=1)
    prompts: str
    in_flight_cap: int = Field(gt=0)
    timeout: Seconds
    connection_max_age: Seconds = 10.0
    workers: int = Field(default=1, ge=1)
    workers_as: Literal["processes", "pods"] = "processes"  # pods: in the suite's namespace; the endpoint's name is then theirs to resolve
    retry: Retry = Retry()
    headers: dict[str, str] = Field(default_factory=dict)
    api_key_env: str | None = None
    ca_file: str | None = None


class WrittenTraining(Written):
    """The training job that a class of workload is: made anew for each run, of a template that never runs by itself."""

    template: str  # a CronJob (suspended) in the namespace of the class's role; each run makes a Job of it
    ledger: str  # service:port of the ledger, in the same namespace
    storage: str  # the role that keeps checkpoints
    settings: dict[str, str] = Field(default_factory=dict)  # TRAIN_* that runs of this suite set otherwise


class WorkloadClass(Written):
    """A class of workload: its default budgets, and either SLO and load, or the training job that it is."""

    role: str  # the role that serves it
    written_slo: WrittenSlo | None = Field(default=None, alias="slo")
    budgets: WrittenBudgets = WrittenBudgets()
    written_load: WrittenLoad | None = Field(default=None, alias="load")
    training: WrittenTraining | None = None

    @model_validator(mode="after")
    def _has_one_drive(self) -> WorkloadClass:
        """Demand an SLO with a load, or a training job."""
        missing = [name for name, part in (("slo", self.written_slo), ("load", self.written_load)) if part is None]
        if self.training is None and missing:
            raise ValueError(f"{' and '.join(missing)}: missing; a class has slo and load, or training")
        if self.training is not None and len(missing) < 2:
            raise ValueError("training: a class has slo and load, or training, not both")
        return self

    @property
    def slo(self) -> WrittenSlo:
        """Return when a request is good. Raises ConfigError: this class has no requests."""
        return _of_requests(self.written_slo)

    @property
    def load(self) -> WrittenLoad:
        """Return what is offered. Raises ConfigError: this class has no requests."""
        return _of_requests(self.written_load)


def _of_requests(part: Part | None) -> Part:
    if part is None:
        raise ConfigError("this class of workload is a training job: it has no requests, hence neither slo nor load")
    return part


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
    suite_image: str = "aftershock/platform:dev"
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
        wrong = [
            f"workloads.{name}.role: {one.role!r} is not under roles" for name, one in self.workloads.items() if one.role not in self.roles
        ]
        for name, one in self.workloads.items():
            if one.written_load is not None and one.load.endpoint not in self.endpoints:
                wrong.append(f"workloads.{name}.load.endpoint: {one.load.endpoint!r} is not under endpoints")
            if one.training is not None and one.training.storage not in self.roles:
                wrong.append(f"workloads.{name}.training.storage: {one.training.storage!r} is not under roles")
        if self.prometheus is not None and self.prometheus not in self.endpoints:
            wrong.append(f"prometheus: {self.prometheus!r} is not under endpoints")
        if self.prometheus is None and any(one.promql for one in self.stop_when):
            wrong.append("stop_when: promql needs prometheus, a key of endpoints")
        wrong += credentials.in_target(self.endpoints, {name: one.load.headers for name, one in self.workloads.items() if one.written_load})
        if not CONSENT.fullmatch(self.consent_label):
            wrong.append(f"consent_label: {self.consent_label!r} is not KEY=VALUE")
        if self.suite_namespace in self.namespaces:
            wrong.append(f"suite_namespace: {self.suite_namespace!r} must not be under namespaces, faults would hit the suite itself")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

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
    """Read a target file. Raises ConfigError: unreadable or wrong; every mistake is listed with its key."""
    try:
        raw: Any = yaml.safe_load(path.read_text())
        return Target.model_validate(raw)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); see targets/staging.example.yaml") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """Return all mistakes of a pydantic error as one line: ``key: what (got value)``, parted by semicolons."""
    parts = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "file"
        shown = item["type"] not in {"missing", "extra_forbidden"} and not credentials.may_hold(where, item["input"])
        got = f" (got {item['input']!r})" if shown else ""
        parts.append(f"{where}: {item['msg']}{got}")
    return "; ".join(parts)
