"""``plan.json``: everything decided before a run begins. Judges read budgets, SLO and schedule from here, never from memory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict, Field, model_validator

from history.errors import HistoryError
from history.schema import SCHEMA_VERSION
from history.values import FrozenModel, Seconds, Share
from history.workloads import Load, Slo, Training

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


class Bounds(FrozenModel):
    """Budgets as a file sets them, for an experiment or a class of workload; a plan has the same and their source."""

    model_config = ConfigDict(validate_by_name=True)  # people write ``rto: 30s``, a plan says ``rto_s: 30.0``
    rto_s: Seconds | None = Field(default=None, validation_alias="rto")
    rpo_requests: int | None = None
    availability: Share | None = None  # share of good arrivals in [t_fault, t_recovered + hold]
    p95_ratio: float | None = None  # p95 latency after recovery over baseline p95
    capacity_rto_s: Seconds | None = Field(default=None, validation_alias="capacity_rto")  # ready replicas back to desired
    rpo_steps: int | None = Field(default=None, ge=0)  # training: steps done before the fault that are not in the state it went on from
    rpo_samples: int | None = Field(default=None, ge=0)  # the same in samples


class Budgets(Bounds):
    """What an experiment allows. ``None``: not budgeted, hence not checked (and the report says so)."""

    source: dict[str, str] = Field(default_factory=dict)  # budget name -> who set it (class default, target, experiment)


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
    region: str = "default"  # of the target file
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
