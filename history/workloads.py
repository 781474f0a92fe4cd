"""What drives a run, in target files (``latency: 1s``) and in plans (``latency_ms``) alike: requests, a training job, or another kind."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, ClassVar, Literal

import polars as pl
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SerializeAsAny, model_validator

from history.answers import AnswerRule
from history.budgets import Budgets
from history.connection_policy import ConnectionPolicy
from history.request_form import ClientCert, RequestForm
from history.schema import DEFAULT_REGION, TRAINING
from history.values import FrozenModel, Seconds, Share, parse_duration


def _milliseconds(value: object) -> object:
    return round(parse_duration(value) * 1e3, 6) if isinstance(value, str | bool) else value


Milliseconds = Annotated[float, BeforeValidator(_milliseconds), Field(gt=0, allow_inf_nan=False)]


class Slo(FrozenModel):
    """When one request counts as good, and which share of them must."""

    model_config = ConfigDict(validate_by_name=True)
    ratio: Share = Field(gt=0)  # share of good arrivals, e.g. 0.99
    latency_ms: Milliseconds = Field(validation_alias="latency")  # last byte - intended, for requests that are not streamed
    ttft_ms: Milliseconds | None = Field(default=None, validation_alias="ttft")  # first byte - intended, for streamed requests
    max_gap_ms: Milliseconds | None = Field(default=None, validation_alias="max_gap")  # longest silence between tokens of a stream

    @model_validator(mode="before")
    @classmethod
    def _plain_numbers_are_seconds(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        """Take a plain number under a name that people write for seconds, as everywhere in their files."""
        return {key: _seconds(value) if key in WRITTEN else value for key, value in data.items()} if isinstance(data, dict) else data


WRITTEN = frozenset({"latency", "ttft", "max_gap"})


def _seconds(value: object) -> object:
    if isinstance(value, int | float):
        with suppress(ValueError):  # what is none is for the field to refuse
            return round(parse_duration(value) * 1e3, 6)
    return value


def _rises(span: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= span[0] <= span[1]:
        raise ValueError("the least, then the most, and neither below 0")
    return span


Span = Annotated[tuple[int, int], AfterValidator(_rises)]


class Mix(FrozenModel):
    """One kind of request in a workload."""

    weight: float = Field(gt=0, allow_inf_nan=False)
    stream: bool = False
    max_tokens: Span  # uniform, inclusive
    prompt_chars: Span = (1, 10_000)  # prompts of these lengths are drawn


class Retry(FrozenModel):
    """What the client does after a failed attempt."""

    policy: Literal["none", "naive", "budgeted", "hedged"] = "none"
    max_attempts: int = Field(default=1, ge=1)
    backoff_ms: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    budget_ratio: float = Field(default=0.1, ge=0, allow_inf_nan=False)  # budgeted: retries allowed as a share of first attempts
    hedge_after_ms: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Offer(FrozenModel):
    """What the load generator offers, in target files and in plans."""

    model_config = ConfigDict(validate_by_name=True)
    endpoint: str = ""  # a key of the region's ``endpoints``; with ``workers_as: pods`` its name is theirs to resolve; empty in older plans
    request: RequestForm = RequestForm()
    model: str
    rate_rps: float = Field(gt=0, allow_inf_nan=False)
    arrivals: Literal["poisson", "constant"] = "poisson"
    mix: tuple[Mix, ...] = Field(min_length=1)
    prompts: str  # JSON lines: prompt_id, prompt, completion (the right greedy answer)
    in_flight_cap: int = Field(gt=0)
    timeout_s: Seconds = Field(gt=0, validation_alias="timeout")
    connect_timeout_s: Seconds = Field(default=5.0, gt=0, validation_alias="connect_timeout")  # within the time-out of the whole
    connection_max_age_s: Seconds = Field(default=10.0, validation_alias="connection_max_age")  # keep-alive would pin them to one gateway
    workers: int = Field(default=1, ge=1)
    workers_as: Literal["processes", "pods"] = "processes"  # of this machine, or of the platform in the suite's namespace
    retry: Retry = Retry()
    headers: dict[str, str] = Field(default_factory=dict)
    api_key_env: str | None = None  # name of an environment variable; its value is never written anywhere
    ca_file: str | None = None
    client_cert: ClientCert | None = None

    def variables(self) -> dict[str, str]:
        """Return the environment variables that hold its credentials, each with the key of the target file that names it."""
        named = {self.api_key_env: "load.api_key_env"} if self.api_key_env else {}
        return named | {one.env: "load.request.auth" for one in self.request.auth}

    def files(self) -> dict[str, str]:
        """Return the files that it needs to connect, each with the key of the target file that names it."""
        named = {self.ca_file: "load.ca_file"} if self.ca_file else {}
        if self.client_cert is not None:
            named |= {self.client_cert.cert: "load.client_cert.cert", self.client_cert.key: "load.client_cert.key"}
        return named


class Load(Offer):
    """The load of one run; written before it starts."""

    url: str
    horizon_s: float = Field(gt=0)  # arrivals are scheduled up to here
    seed: int
    connections: ConnectionPolicy = ConnectionPolicy(mode="shared")  # what older plans meant, which do not say it


class JobLimits(FrozenModel):
    """How long a training job may take: until its pods run, until its first step, at all; and its undisturbed run at all (s)."""

    model_config = ConfigDict(validate_by_name=True)
    pods_s: Seconds = Field(default=180.0, gt=0, validation_alias="pods")
    first_step_s: Seconds = Field(default=180.0, gt=0, validation_alias="first_step")
    reference_s: Seconds = Field(default=300.0, gt=0, validation_alias="reference")
    job_s: Seconds = Field(default=1800.0, gt=0, validation_alias="job")  # whatever becomes of the run


class TrainingJob(FrozenModel):
    """The training job of a class of workload: made anew for each run, of a template that never runs by itself."""

    kind: str = "CronJob"  # of the template
    template: str  # its name (suspended), in the namespace of the class's role
    ledger: str  # who keeps the ledger: service:port in the same namespace
    storage: str = ""  # the role that keeps checkpoints; empty in older plans
    settings: dict[str, str] = Field(default_factory=dict)  # TRAIN_* that a run sets otherwise than the template
    labels: dict[str, str] = Field(default_factory=dict)  # of what is made, where a template must not carry them: a queue would start it
    limits: JobLimits = JobLimits()
    undisturbed: Literal["one_pod", "same_pods"] = "one_pod"  # how the reference runs: all ranks in one pod, or as the job does


class State(FrozenModel):
    """How a training job's state is compared with that of its undisturbed run.

    ``exact``: bit by bit. ``tolerance``: the loss of each step lies within the share ``losses`` of the undisturbed run's. ``none``: not.
    """

    mode: Literal["exact", "tolerance", "none"] = "exact"
    losses: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _mode_alone(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        """Take ``exact`` or ``none`` for the mapping that says nothing else."""
        return {"mode": data} if isinstance(data, str) else data


class Training(TrainingJob):
    """The training job that a run follows instead of offering requests."""

    namespace: str
    job: str  # name of the job, of its checkpoints and of its ledger
    ranks: int = Field(gt=0)
    pods: int = Field(gt=0)
    steps: int = Field(gt=0)  # of the whole job
    batch: int = Field(gt=0)  # samples a step over all ranks
    max_restarts: int = Field(ge=0)  # of the ranks, by torchrun
    interval_steps: int = Field(gt=0)  # from one checkpoint to the next
    reference: str  # name of the ledger of an undisturbed run of the same bits
    state: State = State()


KINDS: dict[str, type[WorkloadPlan]] = {}
"""The kinds of workload that plans may have; defining a subclass of :class:`WorkloadPlan` adds its own."""


class WorkloadPlan(FrozenModel):
    """One class of workload in a run. A driver's own subclass says more; its ``kind`` is a literal with a default."""

    LEDGERS: ClassVar[dict[str, dict[str, pl.DataType]]] = {}  # tables in ``ledgers/`` that its driver writes, with their columns
    kind: str
    name: str  # of the class in the target file
    role: str = ""  # whose pods serve it
    region: str = DEFAULT_REGION
    budgets: Budgets = Budgets()

    def text(self) -> str:
        """Return what it does, for a person."""
        return self.kind

    @property
    def reading_s(self) -> float:
        """How finely its own record tells when something happened, besides what clocks may be wrong by (s)."""
        return 0.0

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's own signature
        """Make plans of this kind readable."""
        super().__pydantic_init_subclass__(**kwargs)
        KINDS[cls.model_fields["kind"].default] = cls


class RequestsPlan(WorkloadPlan):
    """Requests of users."""

    kind: Literal["requests"] = "requests"
    slo: Slo
    load: Load
    session_affinity: str = ""  # of the Service that the endpoint leads to; empty: it is not known to lead to the role's Service
    answers: AnswerRule = AnswerRule()

    def text(self) -> str:
        """Return what is offered, for a person."""
        return f"{self.load.rate_rps:,.10g} requests/s, {self.load.arrivals.capitalize()} arrivals"


class TrainingPlan(WorkloadPlan):
    """A training job of the run's own."""

    LEDGERS: ClassVar[dict[str, dict[str, pl.DataType]]] = {"training": TRAINING, "reference": TRAINING}
    kind: Literal["training"] = "training"
    job: Training

    def text(self) -> str:
        """Return how large the job is, for a person."""
        return f"training, {self.job.ranks} ranks, a checkpoint every {self.job.interval_steps} steps"


def _of_its_kind(value: object) -> object:
    """Read a mapping as the kind of workload that it says it is.

    Of a kind that this process does not know, what all kinds have is read: the load generator offers its requests beside whatever else
    drives the run. Who judges refuses it.
    """
    if not isinstance(value, dict):
        return value
    kind = KINDS.get(str(value.get("kind")))
    if kind is not None:
        return kind.model_validate(value)
    return WorkloadPlan.model_validate({name: part for name, part in value.items() if name in WorkloadPlan.model_fields})


AnyWorkload = Annotated[SerializeAsAny[WorkloadPlan], BeforeValidator(_of_its_kind)]
