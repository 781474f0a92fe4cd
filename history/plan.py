"""``plan.json``: everything decided before a run begins. Judges read budgets, SLO and schedule from here, never from memory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field, model_validator

from history.budgets import Budgets
from history.errors import HistoryError
from history.schema import SCHEMA_VERSION
from history.values import FrozenModel, Seconds

Part = TypeVar("Part")


class Phase(StrEnum):
    """The phases of a run, in order."""

    PREFLIGHT = "preflight"
    BASELINE = "baseline"
    WRITE_AHEAD = "write-ahead"
    INJECT = "inject"
    CONFIRM = "confirm"
    OBSERVE = "observe"
    SCENE = "scene"
    HEAL = "heal"
    SETTLE = "settle"
    JUDGE = "judge"


class Slo(FrozenModel):
    """When one request counts as good, and which share of them must."""

    ratio: float = Field(gt=0, le=1)  # share of good arrivals, e.g. 0.99
    latency_ms: float = Field(gt=0)  # last byte - intended, for requests that are not streamed
    ttft_ms: float | None = None  # first byte - intended, for streamed requests
    max_gap_ms: float | None = None  # longest silence between tokens of a stream


class Mix(FrozenModel):
    """One kind of request in a workload."""

    weight: float = Field(gt=0)
    stream: bool = False
    max_tokens: tuple[int, int]  # uniform, inclusive
    prompt_chars: tuple[int, int] = (1, 10_000)  # prompts of these lengths are drawn


class Retry(FrozenModel):
    """What the client does after a failed attempt."""

    policy: Literal["none", "naive", "budgeted", "hedged"] = "none"
    max_attempts: int = 1
    backoff_ms: float = 0.0
    budget_ratio: float = 0.1  # budgeted: retries allowed as a share of first attempts
    hedge_after_ms: float = 0.0


class Offer(FrozenModel):
    """What the load generator offers, in target files and in plans."""

    model_config = ConfigDict(validate_by_name=True)
    model: str
    rate_rps: float = Field(gt=0, allow_inf_nan=False)
    arrivals: Literal["poisson", "constant"] = "poisson"
    mix: tuple[Mix, ...] = Field(min_length=1)
    prompts: str  # JSON lines: prompt_id, prompt, completion (the right greedy answer)
    in_flight_cap: int = Field(gt=0)
    timeout_s: Seconds = Field(gt=0, validation_alias="timeout")
    connection_max_age_s: Seconds = Field(default=10.0, validation_alias="connection_max_age")  # keep-alive would pin them to one gateway
    workers: int = Field(default=1, ge=1)
    workers_as: Literal["processes", "pods"] = "processes"  # of this machine, or of the platform in the suite's namespace
    retry: Retry = Retry()
    headers: dict[str, str] = Field(default_factory=dict)
    api_key_env: str | None = None  # name of an environment variable; its value is never written anywhere
    ca_file: str | None = None


class Load(Offer):
    """The load of one run; written before it starts."""

    url: str
    horizon_s: float = Field(gt=0)  # arrivals are scheduled up to here
    seed: int


class Training(FrozenModel):
    """The training job that a run follows instead of offering requests."""

    template: str  # CronJob of which the job is made
    namespace: str
    job: str  # name of the job, of its checkpoints and of its ledger
    ranks: int = Field(gt=0)
    pods: int = Field(gt=0)
    steps: int = Field(gt=0)  # of the whole job
    batch: int = Field(gt=0)  # samples a step over all ranks
    max_restarts: int = Field(ge=0)  # of the ranks, by torchrun
    interval_steps: int = Field(gt=0)  # from one checkpoint to the next
    settings: dict[str, str] = Field(default_factory=dict)  # what this run sets otherwise than the template
    ledger: str  # who keeps the ledger: service:port in ``namespace``
    reference: str  # name of the ledger of an undisturbed run of the same bits


class Timers(FrozenModel):
    """How long each phase may take (s). ``deadline_parts`` says where the deadline comes from."""

    baseline_s: float
    hold_s: float
    confirm_s: float
    deadline_s: float
    heal_s: float
    fault_s: float = 0.0  # how long the longest fault lasts by itself (0: at once, or until undone)
    deadline_parts: dict[str, float] = Field(default_factory=dict)


class Floor(FrozenModel):
    """How soon after the fault recovery is possible at all, by the platform's own timers, read before the fault (s)."""

    capacity_rto_s: float
    rto_s: float | None = None  # none where other replicas may serve users meanwhile
    timers: str  # the settings that bound it, in words


class ResolvedTarget(FrozenModel):
    """One object that the fault will touch."""

    kind: str
    name: str
    namespace: str | None = None
    uid: str | None = None
    node: str | None = None
    effect: str = ""  # what will be done to it
    ends: str = ""  # what ends it if the suite dies
    seen_s: float = 0.0  # how long the platform itself takes until the effect can be seen: a pod's grace


class Expect(FrozenModel):
    """What the verdict should be: on a weak variant a FAIL by a named check is the success."""

    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"] = "PASS"
    check: str | None = None


class ExperimentInfo(FrozenModel):
    """Which experiment this run carries out."""

    id: str  # path under experiments/ without its ending
    title: str
    description: str
    tags: tuple[str, ...]
    hypothesis: str  # title of the steady-state hypothesis
    fault: Literal["fault", "none", "sham"]
    digest: str  # sha256 of the file, and of the hypothesis that its class of workload gave it


class TargetInfo(FrozenModel):
    """Which platform it runs on."""

    name: str
    context: str
    server: str
    namespaces: tuple[str, ...]
    fidelity: dict[str, str] = Field(default_factory=dict)  # substitutes, e.g. {"gpu": "substitute device"}


class Plan(FrozenModel):
    """The resolved plan of one run."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    trial: int = 1
    trials: int = 1
    created_ns: int
    seed: int
    profile: str
    experiment: ExperimentInfo
    target: TargetInfo
    workload: str  # class name in the target file
    requests_slo: Slo | None = Field(default=None, alias="slo")
    budgets: Budgets
    requests_load: Load | None = Field(default=None, alias="load")
    training: Training | None = None  # instead of ``slo`` and ``load``: a run has requests or a training job
    timers: Timers
    expect: Expect = Expect()
    targets: tuple[ResolvedTarget, ...] = ()
    replicas_desired: dict[str, int] = Field(default_factory=dict)  # role -> replicas
    evidence: tuple[str, ...] = ()  # names of the evidence probes
    hypothesis_probes: tuple[str, ...] = ()
    hypothesis_expects: dict[str, str] = Field(default_factory=dict)  # probe -> its tolerance, in words
    hypothesis_left_out: tuple[str, ...] = ()  # of the class's hypothesis: what the target has not, each with the reason
    floor: Floor | None = None  # none: no timer bounds recovery
    forecast: dict[str, Any] | None = None  # of older runs: an RTO predicted before the fault; read, and no longer used
    versions: dict[str, str] = Field(default_factory=dict)
    command: str = ""  # repeats this run

    @model_validator(mode="after")
    def _has_one_drive(self) -> Plan:
        """Demand requests with their SLO, or a training job."""
        requests = self.requests_slo is not None and self.requests_load is not None
        if requests == (self.training is not None):
            raise ValueError("a plan has slo and load, or training: one of them, not both")
        return self

    @property
    def slo(self) -> Slo:
        """Return when a request is good. Raises HistoryError: this run has no requests."""
        return _of_requests(self, self.requests_slo)

    @property
    def load(self) -> Load:
        """Return what is offered. Raises HistoryError: this run has no requests."""
        return _of_requests(self, self.requests_load)


def _of_requests(plan: Plan, part: Part | None) -> Part:
    if part is None:
        raise HistoryError(f"run {plan.run_id} follows a training job; it has no requests, hence neither SLO nor load")
    return part


def write_plan(plan: Plan, run_dir: Path) -> Path:
    """Write ``plan.json`` into ``run_dir`` and return its path."""
    path = run_dir / "plan.json"
    path.write_text(plan.model_dump_json(indent=1, by_alias=True))
    return path
