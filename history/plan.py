"""``plan.json``: everything decided before a run begins. Judges read budgets, SLO and schedule from here, never from memory."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, model_validator

from history.alert_plan import AlertPlan
from history.errors import HistoryError
from history.layout import Layout, Weakness
from history.schema import DEFAULT_REGION, SCHEMA_VERSION
from history.values import FrozenModel
from history.workloads import AnyWorkload, RequestsPlan, Training, TrainingPlan, WorkloadPlan

Of = TypeVar("Of", bound=WorkloadPlan)
OLDER = {"slo", "requests_slo", "load", "requests_load", "training", "budgets", "workload"}


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


class Timers(FrozenModel):
    """How long each phase may take (s). ``deadline_parts`` says where the deadline comes from."""

    baseline_s: float
    hold_s: float
    confirm_s: float
    deadline_s: float
    heal_s: float
    fault_s: float = 0.0  # how long the longest fault lasts by itself (0: at once, or until undone)
    watch_s: float = 0.0  # how long after the fault is watched at least, however early all is well (0, as in older plans: until then)
    deadline_parts: dict[str, float] = Field(default_factory=dict)
    known_s: float = 0.0  # after how long at the latest it is known how what a workload began ended; 0 in older plans
    queue_every_s: float = 0.0  # how far apart Prometheus' samples of the queue are (0: nobody asked; in older plans: a second)
    queue_fresh_s: float = 5.0  # how old a value of the queue may be


class Floor(FrozenModel):
    """How soon after the fault recovery is possible at all, by the platform's own timers, read before the fault (s)."""

    capacity_rto_s: float
    rto_s: float | None = None  # none where other replicas may serve users meanwhile
    timers: str  # the settings that bound it, in words
    dominant: str = ""  # the setting that bounds it most
    estimate: str = ""  # why it is an estimate: what was assumed, or who may be quicker; empty: it is a bound

    @property
    def sentence(self) -> str:
        """Return what bounds it, and whether it is an estimate: as preflight, dry run and report say it."""
        return self.timers + (f" (an estimate: {self.estimate})" if self.estimate else "")


NAMESPACE: Final = "Namespace"  # the kind of a target that is a whole namespace, in which nothing that runs is hit


class ResolvedTarget(FrozenModel):
    """One object that the fault will touch."""

    kind: str
    name: str
    namespace: str | None = None
    uid: str | None = None
    node: str | None = None
    effect: str = ""  # what will be done to it
    ends: str = ""  # what ends it if the suite dies
    region: str = DEFAULT_REGION  # of the target file
    seen_s: float = 0.0  # how long the platform itself takes until the effect can be seen: a pod's grace
    missing_at_once: int | None = None  # of targets that are missing in turn: how many at a time (0: none ever is); None: all at once
    overloaded: bool = False  # nothing of it is taken away: more is asked of it than its class's load
    cluster_wide: bool = False  # an object of the whole cluster is made for it, although it alone is hit


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
    seed_policy: str = ""  # how the session came by it: ``drawn``, ``fixed at 7``; empty: an older run
    profile: str
    experiment: ExperimentInfo
    target: TargetInfo
    workloads: tuple[AnyWorkload, ...] = Field(min_length=1)  # what drives the run; the first is what the experiment is about
    timers: Timers
    expect: Expect = Expect()
    targets: tuple[ResolvedTarget, ...] = ()
    takes_away: tuple[str, ...] = ()  # instruments that cannot answer while the fault acts, by what it is: the API server
    graceful: bool = False  # every fault lets what it ends finish what it has in hand: nobody under way may be hurt
    platform: dict[str, str] = Field(default_factory=dict)  # part of the platform -> digest; empty: an older run, nobody looked
    replicas_desired: dict[str, int] = Field(default_factory=dict)  # role -> replicas
    replicas_bound: dict[str, int] = Field(default_factory=dict)  # role -> those of them that can be back only with the nodes that are lost
    health_asked: dict[str, str] = Field(default_factory=dict)  # role -> through what its replicas are asked for their health, in words
    evidence: tuple[str, ...] = ()  # names of the evidence probes
    hypothesis_probes: tuple[str, ...] = ()
    hypothesis_expects: dict[str, str] = Field(default_factory=dict)  # probe -> its tolerance, in words
    hypothesis_left_out: tuple[str, ...] = ()  # of the class's hypothesis: what the target has not, each with the reason
    floor: Floor | None = None  # none: no timer bounds recovery
    drain_budget_s: float | None = None  # how long a planned move of the pods of a node may take; none: no fault drains one
    alerts: tuple[AlertPlan, ...] = ()  # rules of Prometheus that are judged
    layout: Layout | None = None  # how the platform is built; none: an older run, nobody looked
    risks: tuple[Weakness, ...] | None = None  # that it shows without a fault; likewise
    forecast: dict[str, Any] | None = None  # of older runs: an RTO predicted before the fault; read, and no longer used
    versions: dict[str, str] = Field(default_factory=dict)
    command: str = ""  # repeats this run

    @model_validator(mode="before")
    @classmethod
    def _of_one_workload(cls, raw: object) -> object:
        """Read a plan of schema 1, which had one workload and said its parts beside the rest."""
        if not isinstance(raw, dict) or "workloads" in raw or raw.get("workload") is None:
            return raw
        part = {key.removeprefix("requests_"): value for key, value in raw.items() if key in OLDER and value is not None}
        named = {"name": part["workload"], "budgets": part.get("budgets", {})}
        requests = {key: part[key] for key in ("slo", "load") if key in part}
        if ("training" in part) == bool(requests):
            raise ValueError("a plan of schema 1 has slo and load, or training: one of them, not both")
        kind = {"kind": "training", "job": part["training"]} if "training" in part else {"kind": "requests"} | requests
        return {key: value for key, value in raw.items() if key not in OLDER} | {"workloads": [named | kind]}

    @model_validator(mode="after")
    def _one_of_each_kind(self) -> Plan:
        """Refuse two workloads of one kind: their rows would stand in one table."""
        for what, found in (("name", [one.name for one in self.workloads]), ("kind", [one.kind for one in self.workloads])):
            twice = sorted({one for one in found if found.count(one) > 1})
            if twice:
                raise ValueError(f"two workloads of {what} {', '.join(twice)} in one run; a run has at most one of each kind")
        return self

    @property
    def platform_digest(self) -> str:
        """Return what tells one platform from another, the same for the same parts; empty: it is not known."""
        return hashlib.sha256(json.dumps(self.platform, sort_keys=True).encode()).hexdigest()[:8] if self.platform else ""

    @property
    def replicas_back(self) -> dict[str, int]:
        """Return how many replicas of each role full capacity takes: all but those that can be back only with their lost node."""
        return {role: wanted - self.replicas_bound.get(role, 0) for role, wanted in self.replicas_desired.items()}

    @property
    def first(self) -> WorkloadPlan:
        """Return the workload that the experiment is about."""
        return self.workloads[0]

    def of(self, kind: type[Of]) -> Of | None:
        """Return the workload of ``kind``, if the run has one."""
        return next((one for one in self.workloads if isinstance(one, kind)), None)

    @property
    def requests(self) -> RequestsPlan:
        """Return what users ask. Raises HistoryError: this run has no requests."""
        found = self.of(RequestsPlan)
        if found is None:
            names = ", ".join(f"{one.name} ({one.kind})" for one in self.workloads)
            raise HistoryError(f"run {self.run_id} is driven by {names}; it has no requests, hence neither SLO nor load")
        return found

    @property
    def training(self) -> Training | None:
        """Return the training job that the run follows, if it does."""
        found = self.of(TrainingPlan)
        return found.job if found else None


def write_plan(plan: Plan, run_dir: Path) -> Path:
    """Write ``plan.json`` into ``run_dir`` and return its path."""
    path = run_dir / "plan.json"
    path.write_text(plan.model_dump_json(indent=1, by_alias=True), encoding="utf-8")
    return path
