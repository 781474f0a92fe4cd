"""The plan: everything decided before a run begins, with where each decision comes from."""

from __future__ import annotations

import math
import platform as host
from dataclasses import dataclass
from importlib.metadata import version

from history.clock import now_ns
from history.plan import Budgets, Floor, Plan, ResolvedTarget, TargetInfo, Timers
from history.workloads import Load, Training
from kube.platform_timers import PlatformTimers
from runner.experiment.catalogue import fault_of
from runner.experiment.experiment import Experiment
from runner.experiment.format import described
from runner.experiment.variables import filled
from runner.preflight.floor import floor_of
from runner.request import PROFILES, Request
from target.target import Target
from target.workload import WorkloadClass
from verdict.statistics import arrivals_needed

CLASS_DEFAULTS: dict[str, dict[str, float]] = {
    "realtime-inference": {"rto_s": 60, "rpo_requests": 0},
    "model-deployment": {"rto_s": 300},
    "feature-store": {"rto_s": 300},
    "batch-training": {"rto_s": 3600},
    "data-labelling": {"rto_s": 4 * 3600},
    "object-storage": {"rto_s": 300},
}
"""Budgets that a class of workload has by default: the field's usual needs; a target or an experiment may say otherwise."""

CONFIRM_S = 30.0  # evidence inside pods and on the API server
LEASE_S = 15.0  # more where evidence is a node's silence: 12 s of an overdue lease
SLACK_S = 10.0
PATIENCE = 1.5  # a platform may take half as long again as its timers say before the observation ends
NOTICED_S = 12.0  # that a fault is noticed, or that a machine whose power is back has booted (measured: at most 12 s)
HEAL_S, HEAL_NODE_S = 60.0, 120.0
ELSE_S = 240.0  # warming up, a drain, the scene
ROOT_VERSIONS = ("chaostoolkit-lib", "chaostoolkit-kubernetes", "kubernetes", "locust", "polars")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What preflight found out: targets of each activity, desired replicas of each role, live timers of the workload's role."""

    targets: dict[str, list[ResolvedTarget]]
    replicas: dict[str, int]
    timers: PlatformTimers
    server_version: str = ""
    commit: str = ""

    @property
    def all_targets(self) -> tuple[ResolvedTarget, ...]:
        """Every target, in order."""
        return tuple(target for found in self.targets.values() for target in found)


def make_plan(request: Request, experiment: Experiment, target: Target, resolved: Resolved, job: Training | None = None) -> Plan:
    """Return the plan of one run; ``job`` is the training job that it follows, if it offers no requests."""
    workload = target.workloads[experiment.settings.workload]
    budgets = merged_budgets(experiment, workload)
    lasts_s = duration_s(experiment, target)
    timers = timers_of(request, experiment, workload, budgets=budgets, resolved=resolved, lasts_s=lasts_s)
    return Plan(
        run_id=request.run_id,
        trial=request.trial,
        trials=request.trials,
        created_ns=now_ns(),
        seed=request.seed,
        profile=request.profile,
        experiment=experiment.info(),
        target=target_info(target),
        workload=experiment.settings.workload,
        slo=None if job else workload.slo,
        budgets=budgets,
        load=None if job else load_of(target, workload, request.seed, horizon_s(timers, workload)),
        training=job,
        timers=timers,
        expect=experiment.settings.expect,
        targets=resolved.all_targets,
        replicas_desired=resolved.replicas,
        evidence=tuple(probe.name for probe in experiment.settings.evidence),
        hypothesis_probes=tuple(probe.name for probe in experiment.hypothesis.probes),
        hypothesis_expects={probe.name: described(probe.tolerance) for probe in experiment.hypothesis.probes},
        hypothesis_left_out=experiment.left_out,
        floor=None if job else floor_under(experiment, target, resolved),  # a job's pods go by their own rules
        versions=versions(resolved),
        command=request.command,
    )


def merged_budgets(experiment: Experiment, workload: WorkloadClass) -> Budgets:
    """Merge budgets, class default < target < experiment; ``source`` says who set each."""
    values: dict[str, object] = {}
    source: dict[str, str] = {}
    layers = (
        ("class default", CLASS_DEFAULTS.get(experiment.settings.workload, {})),
        ("target", workload.budgets.model_dump(exclude_none=True)),
        ("experiment", experiment.settings.budgets.model_dump(exclude_none=True)),
    )
    for who, layer in layers:
        values |= layer
        source |= dict.fromkeys(layer, who)
    return Budgets(**values, source=source)


def timers_of(
    request: Request,
    experiment: Experiment,
    workload: WorkloadClass,
    *,
    budgets: Budgets,
    resolved: Resolved,
    lasts_s: float,
) -> Timers:
    """Return how long each phase may take; ``deadline_parts`` shows what the deadline is made of."""
    profile = PROFILES[request.profile]
    requests = workload.job is None
    enough_s = span_s(arrivals_needed(workload.slo.ratio), workload.load.rate_rps) if requests else 0.0
    hold_s = experiment.settings.hold or max(profile.hold_s, enough_s)
    on_nodes = any(target.kind != "Pod" for target in resolved.all_targets)
    recovery_s = recovery_at_most_s(resolved, lasts_s) if requests and experiment.settings.fault == "fault" else 0.0
    seen_s = max((target.seen_s for target in resolved.all_targets), default=0.0)
    parts = deadline_parts(budgets, recovery_s, max(lasts_s, seen_s), hold_s)
    auto_s = max(parts["budget"], parts["recovery"], parts["fault"]) + parts["hold"] + parts["slack"]
    return Timers(
        baseline_s=max(profile.baseline_s, enough_s),
        hold_s=hold_s,
        confirm_s=CONFIRM_S + (LEASE_S if on_nodes else 0.0) + seen_s,
        deadline_s=experiment.settings.deadline or auto_s,
        fault_s=lasts_s,
        heal_s=HEAL_S + 2 * resolved.timers.ready_s + (HEAL_NODE_S if on_nodes else 0.0),
        deadline_parts=parts if experiment.settings.deadline is None else {"experiment": experiment.settings.deadline},
    )


def deadline_parts(budgets: Budgets, recovery_s: float, lasts_s: float, hold_s: float) -> dict[str, float]:
    """Return what ``deadline: auto`` is made of (s): the longest of budget, recovery and fault, then the hold and some slack.

    ``lasts_s``: until the fault is over and could be seen.
    """
    return {
        "budget": max(budgets.rto_s or 0.0, budgets.capacity_rto_s or 0.0),
        "recovery": PATIENCE * recovery_s,
        "fault": lasts_s,
        "hold": hold_s,
        "slack": SLACK_S,
    }


def recovery_at_most_s(resolved: Resolved, lasts_s: float) -> float:
    """Return how long the platform's timers let a recovery take, capacity included: a hypothesis on replicas waits for it (s).

    What ran on a lost node starts there when it is back, or elsewhere when its toleration is over. A container may wait for its next start
    as long again as the fault lasted, since its back-off doubles.
    """
    timers = resolved.timers
    gone_s = 2 * lasts_s + NOTICED_S
    if any(target.kind == "Node" for target in resolved.all_targets):
        gone_s = min(lasts_s + NOTICED_S, timers.node_monitor_s + timers.toleration_s)
    return gone_s + timers.ready_s


def span_s(arrivals: int, rate_rps: float) -> float:
    """Return in how many seconds a Poisson process of ``rate_rps`` brings ``arrivals`` (its mean plus three standard deviations)."""
    return (arrivals + 3 * math.sqrt(arrivals)) / rate_rps


def duration_s(experiment: Experiment, target: Target) -> float:
    """Return how long the longest fault of the method lasts by itself (s)."""
    found = [0.0]
    for action in experiment.document.method:
        spec = fault_of(action.provider)
        if spec is not None:
            found.append(spec.lasts_s(filled(action.provider.arguments, experiment, target)))
    return max(found)


def floor_under(experiment: Experiment, target: Target, resolved: Resolved) -> Floor | None:
    """Return the highest floor of the method's faults on the workload's role; None for a control, or if no timer bounds recovery."""
    if experiment.settings.fault != "fault":
        return None
    workload = target.workloads[experiment.settings.workload]
    hit = sum(one.kind == "Pod" for one in resolved.all_targets)
    alone = resolved.replicas.get(workload.role, math.inf) <= max(1, hit)
    waits_s = workload.slo.latency_ms / 1e3 if alone else None
    floors = []
    for action in experiment.document.method:
        spec, arguments = fault_of(action.provider), filled(action.provider.arguments, experiment, target)
        if spec is not None and spec.effect is not None and arguments.get("role") == workload.role:
            floors.append(floor_of(spec.effect, resolved.timers, spec.lasts_s(arguments), waits_s))
    return max((one for one in floors if one), key=lambda one: one.capacity_rto_s, default=None)


def horizon_s(timers: Timers, workload: WorkloadClass) -> float:
    """Return for how long arrivals are scheduled: every phase at its longest, the baseline twice, and some slack."""
    return 4 * timers.baseline_s + timers.confirm_s + timers.deadline_s + timers.heal_s + ELSE_S + workload.load.timeout_s


def load_of(target: Target, workload: WorkloadClass, seed: int, horizon: float) -> Load:
    """Return what the load generator offers."""
    offer = workload.load
    return Load(url=target.only_region().endpoints[offer.endpoint], horizon_s=horizon, seed=seed, **offer.model_dump())


def target_info(target: Target) -> TargetInfo:
    """Return what the report says of the target."""
    region = target.only_region()
    drivers = {
        name: driver.fidelity for name, driver in (("machines", region.machines), ("gpus", region.gpus)) if driver and driver.fidelity
    }
    return TargetInfo(
        name=target.name,
        context=region.context,
        server=region.server,
        namespaces=region.namespaces,
        fidelity=drivers | target.fidelity,
    )


def versions(resolved: Resolved) -> dict[str, str]:
    """Return what ran: the suite's commit, the cluster, Python and the libraries that matter."""
    found = {"python": host.python_version()} | {name: version(name) for name in ROOT_VERSIONS}
    named = {"commit": resolved.commit, "kubernetes server": resolved.server_version}
    return {key: value for key, value in named.items() if value} | found
