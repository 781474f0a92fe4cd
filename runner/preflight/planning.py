"""The plan: everything decided before a run begins, with where each decision comes from."""

from __future__ import annotations

import math
import platform as host
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from history.alert_plan import AlertPlan
from history.budgets import Budgets
from history.clock import now_ns
from history.layout import Layout, Weakness
from history.plan import Floor, Plan, ResolvedTarget, TargetInfo, Timers
from kube.platform_timers import PlatformTimers
from nights.suite_code import suite_code
from runner.drivers.driver import Driver
from runner.experiment.catalogue import faults_in, taken_away
from runner.experiment.drains import drain_budget_s
from runner.experiment.experiment import Experiment
from runner.experiment.format import described
from runner.experiment.variables import filled
from runner.preflight.budgets import merged_budgets
from runner.preflight.floor import floor_of
from runner.preflight.queue_gauge import NO_QUEUE, QueueSource
from runner.request import PROFILES, Request
from target.target import Target

CONFIRM_S = 30.0  # evidence inside pods and on the API server
LEASE_S = 15.0  # more where evidence is a node's silence: 12 s of an overdue lease
SLACK_S = 10.0
ENOUGH = 3  # how many budgets an observation lasts at least
PATIENCE = 1.5  # a platform may take half as long again as its timers say before the observation ends
NOTICED_S = 12.0  # that a fault is noticed, or that a machine whose power is back has booted (measured: at most 12 s)
HEAL_S, HEAL_NODE_S = 60.0, 120.0
STARTS = 4.0  # a replica that starts while others serve, or start, may take several times its usual start
ROOT_VERSIONS = ("chaostoolkit-lib", "chaostoolkit-kubernetes", "kubernetes", "locust", "polars")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What preflight found out: targets of each activity, desired replicas of each role, live timers of the workload's role."""

    targets: dict[str, list[ResolvedTarget]]
    replicas: dict[str, int]
    timers: dict[str, PlatformTimers]  # of each class of workload that the run drives
    server_version: str = ""
    commit: str = ""
    grace_s: float = 0.0  # how long a pod of any role may take to leave, at most
    gauges: tuple[str, ...] = ()  # of model servers, by the names that Prometheus has
    queue: QueueSource = NO_QUEUE  # where Prometheus has the requests that wait
    platform: dict[str, str] = field(default_factory=dict)  # its parts, as digests
    asked_through: dict[str, str] = field(default_factory=dict)  # role -> through what its replicas are asked for their health, in words
    unasked: dict[str, str] = field(default_factory=dict)  # role -> which answers of its replicas nobody hears, and why
    alerts: tuple[AlertPlan, ...] = ()  # rules of Prometheus that are judged
    layout: Layout | None = None  # how the platform is built
    risks: tuple[Weakness, ...] | None = None  # that it shows without a fault
    bound: dict[str, int] = field(default_factory=dict)  # of each role, the replicas that may run only on nodes which the faults take away
    nodes: dict[str, str] = field(default_factory=dict)  # what they are: image, driver

    @property
    def all_targets(self) -> tuple[ResolvedTarget, ...]:
        """Every target, in order."""
        return tuple(target for found in self.targets.values() for target in found)


def make_plan(request: Request, experiment: Experiment, target: Target, resolved: Resolved, drivers: Sequence[Driver]) -> Plan:
    """Return the plan of one run that ``drivers`` drive."""
    budgets = {driver.name: merged_budgets(experiment, target, driver) for driver in drivers}
    lasts_s = duration_s(experiment, target)
    timers = timers_of(request, experiment, drivers, budgets=list(budgets.values()), resolved=resolved, lasts_s=lasts_s)
    return Plan(
        run_id=request.run_id,
        trial=request.trial,
        trials=request.trials,
        created_ns=now_ns(),
        seed=request.seed,
        seed_policy=request.seed_policy,
        profile=request.profile,
        experiment=experiment.info(),
        target=target_info(target),
        workloads=tuple(driver.plan(budgets[driver.name], timers, request.seed) for driver in drivers),
        timers=timers,
        expect=experiment.settings.expect,
        targets=resolved.all_targets,
        takes_away=taken_away(experiment.document.method),
        graceful=is_graceful(experiment),
        platform=resolved.platform,
        replicas_desired=resolved.replicas,
        replicas_bound=resolved.bound,
        health_asked=resolved.asked_through,
        evidence=tuple(probe.name for probe in experiment.settings.evidence),
        hypothesis_probes=tuple(probe.name for probe in experiment.hypothesis.probes),
        hypothesis_expects={probe.name: described(probe.tolerance) for probe in experiment.hypothesis.probes},
        hypothesis_left_out=(*experiment.left_out, *_unasked(target, resolved, drivers)),
        floor=floor_under(experiment, target, resolved, drivers),
        drain_budget_s=drain_budget_s(experiment, target),
        alerts=resolved.alerts,
        layout=resolved.layout,
        risks=resolved.risks,
        versions=versions(resolved),
        command=request.command,
    )


def _unasked(target: Target, resolved: Resolved, drivers: Sequence[Driver]) -> list[str]:
    """Return what cannot be asked of the replicas that the run is about."""
    roles = dict.fromkeys(target.workloads[driver.name].role for driver in drivers)
    return [resolved.unasked[role] for role in roles if role in resolved.unasked]


def timers_of(
    request: Request,
    experiment: Experiment,
    drivers: Sequence[Driver],
    *,
    budgets: Sequence[Budgets],
    resolved: Resolved,
    lasts_s: float,
) -> Timers:
    """Return how long each phase may take; ``deadline_parts`` shows what the deadline is made of.

    Raises ConfigError: the experiment's own deadline is over before a recovery could be held.
    """
    profile = PROFILES[request.profile]
    needs = [driver.needs() for driver in drivers]
    enough_s = max(resolved.queue.held_s, *(need.window_s for need in needs))
    served = [driver.name for driver, need in zip(drivers, needs, strict=True) if not need.provides_targets]
    hold_s = max(experiment.settings.hold or max(profile.hold_s, enough_s), resolved.queue.held_s)
    _refuse_short(experiment, hold_s)
    on_nodes = any(target.kind != "Pod" for target in resolved.all_targets)
    faulty = experiment.settings.fault == "fault"
    recovery_s = max((recovery_at_most_s(resolved, name, lasts_s) for name in served if faulty), default=0.0)
    ready_s = max(one.ready_s for one in resolved.timers.values())
    seen_s = max((target.seen_s for target in resolved.all_targets), default=0.0)
    parts = deadline_parts(budgets, recovery_s, max(lasts_s, seen_s) + ready_s, hold_s)
    auto_s = max(parts["budget"], parts["recovery"], parts["fault"]) + parts["hold"] + parts["slack"]
    deadline_s = experiment.settings.deadline or auto_s
    to_the_end_s = lasts_s + hold_s if profile.to_the_end and lasts_s else 0.0
    return Timers(
        baseline_s=max(profile.baseline_s, enough_s),
        hold_s=hold_s,
        confirm_s=CONFIRM_S + (LEASE_S if on_nodes else 0.0) + seen_s,
        deadline_s=deadline_s,
        fault_s=lasts_s,
        watch_s=min(deadline_s, max(to_the_end_s, *(one.watched_s() for one in budgets))),
        heal_s=HEAL_S + resolved.grace_s + STARTS * ready_s + (HEAL_NODE_S if on_nodes else 0.0),
        deadline_parts=parts if experiment.settings.deadline is None else {"experiment": experiment.settings.deadline},
        known_s=max(need.known_s for need in needs),
        queue_every_s=resolved.queue.every_s,
        queue_fresh_s=resolved.queue.fresh_s,
    )


def _refuse_short(experiment: Experiment, hold_s: float) -> None:
    own_s = experiment.settings.deadline
    if own_s is not None and own_s <= hold_s:
        keys = ("extensions", experiment.extension_at(), "deadline")
        sentence = f"deadline: {own_s:g} s are over before a recovery could be held for {hold_s:g} s, so no run could pass; write auto"
        raise experiment.located.error(keys, sentence)


def deadline_parts(budgets: Sequence[Budgets], recovery_s: float, over_s: float, hold_s: float) -> dict[str, float]:
    """Return what ``deadline: auto`` is made of (s): the longest of budgets, recovery and fault, then the hold and some slack.

    Three budgets: so that a run that misses its budget mostly says by how much. Only a run that does not recover lasts so long.
    ``over_s``: until the fault is over and could be seen, and what started then has started, as long as that took when it was measured.
    """
    return {
        "budget": max(max(ENOUGH * one.awaited_s(), one.watched_s()) for one in budgets),
        "recovery": PATIENCE * recovery_s,
        "fault": over_s,
        "hold": hold_s,
        "slack": SLACK_S,
    }


def recovery_at_most_s(resolved: Resolved, name: str, lasts_s: float) -> float:
    """Return how long the platform's timers let a recovery of class ``name`` take (s).

    Capacity is included: a hypothesis on replicas waits for it.

    What ran on a lost node starts there when it is back, or elsewhere when its toleration is over. A container may wait for its next start
    as long again as the fault lasted, since its back-off doubles.
    """
    timers = resolved.timers[name]
    gone_s = 2 * lasts_s + NOTICED_S
    if any(target.kind == "Node" for target in resolved.all_targets):
        gone_s = min(lasts_s + NOTICED_S, timers.node_monitor_s + timers.toleration_s)
    return gone_s + timers.ready_s


def is_graceful(experiment: Experiment) -> bool:
    """Tell whether every fault of the method is graceful, as it is registered; a method without a fault is not."""
    found = faults_in(experiment.document.method)
    return bool(found) and all(spec.graceful for _, spec in found)


def duration_s(experiment: Experiment, target: Target) -> float:
    """Return how long the longest fault of the method lasts by itself (s)."""
    found = faults_in(experiment.document.method)
    return max((spec.lasts_s(filled(action.provider.arguments, experiment, target)) for action, spec in found), default=0.0)


def floor_under(experiment: Experiment, target: Target, resolved: Resolved, drivers: Sequence[Driver]) -> Floor | None:
    """Return the highest floor of the method's faults on the first workload's role; None if no timer bounds its recovery.

    None bounds a control's, nor a job's whose pods go by its own rules.
    """
    needs = drivers[0].needs()
    if experiment.settings.fault != "fault" or needs.provides_targets:
        return None
    workload = target.workloads[drivers[0].name]
    hit = sum(one.kind == "Pod" for one in resolved.all_targets)
    alone = resolved.replicas.get(workload.role, math.inf) <= max(1, hit)
    waits_s = needs.waits_s if alone else None
    floors = []
    for action, spec in faults_in(experiment.document.method):
        arguments = filled(action.provider.arguments, experiment, target)
        if spec.effect is not None and arguments.get("role") == workload.role:
            floors.append(floor_of(spec.effect, resolved.timers[drivers[0].name], spec.lasts_s(arguments), waits_s))
    return max((one for one in floors if one), key=lambda one: one.capacity_rto_s, default=None)


def target_info(target: Target) -> TargetInfo:
    """Return what the report says of the target."""
    region = target.only_region()
    drivers = {
        name: driver.fidelity
        for name, driver in (("machines", region.machines), ("gpus", region.gpus), ("control plane", region.control_plane_driver))
        if driver and driver.fidelity
    }
    return TargetInfo(
        name=target.name,
        context=region.context,
        server=region.server,
        namespaces=region.namespaces,
        fidelity=drivers | target.fidelity,
    )


def versions(resolved: Resolved) -> dict[str, str]:
    """Return what ran: the suite's commit and the code that decides, the cluster, Python and the libraries that matter."""
    found = {"python": host.python_version()} | {name: version(name) for name in ROOT_VERSIONS}
    gauges = ", ".join(resolved.gauges)
    named = {"commit": resolved.commit, "kubernetes server": resolved.server_version, "gauges of the engines": gauges}
    return {key: value for key, value in (named | resolved.nodes).items() if value} | suite_code() | found
