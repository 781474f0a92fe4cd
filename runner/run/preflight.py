"""Preflight in its order: what is asked before anything is touched, and what may then be run."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace

from history.clock import now_ns
from history.errors import TargetRefused
from history.plan import Phase, Plan, ResolvedTarget
from kube.client import Platform, connect
from kube.health.choice import permissions_of_ways
from kube.permissions import Permission
from probes.prometheus.gauge import Gauge
from runner.drivers.choice import driver_permissions, drivers_of, read_target
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.messages import Kind, Send
from runner.preflight import blackouts, checks, health_ways, node_probes, outside_view, queue_gauge
from runner.preflight.displaced import bound_replicas, displaced
from runner.preflight.floor import below_floor
from runner.preflight.instruments import check_instruments
from runner.preflight.judgeable import refuse_blind
from runner.preflight.lease_queue import Queue, namespace_of
from runner.preflight.planning import make_plan
from runner.preflight.platform_health import Before, with_targets
from runner.preflight.undo_allowed import bypassing, refused_undos
from runner.redact import of_target
from runner.request import Request
from runner.run.abort import stop_when
from runner.stop import Stop
from target.known_secrets import remember
from target.stop_when import StopWhen
from target.target import Target


@dataclass(frozen=True, slots=True)
class Checked:
    """What preflight allows."""

    experiment: Experiment
    platform: Platform
    permissions: list[Permission]
    targets: dict[str, list[ResolvedTarget]]
    before: Before
    plan: Plan
    drivers: list[Driver]
    began_ns: int
    queue: Gauge | None = None  # where requests wait


def run_preflight(request: Request, send: Send, stop: Stop, stack: ExitStack) -> Checked:
    """Carry out preflight; a dry run takes no lease. Leases are given back when ``stack`` is closed.

    Raises:
        ConfigError, TargetRefused: with the sentence that says why nothing may be injected.

    """
    began_ns = now_ns()
    send(Kind.PHASE, name=Phase.PREFLIGHT.value)
    commit = checks.ask_commit(stack)
    experiment, target = _read(request)
    platform = connect(target)
    checks.check_clock(platform)
    faults = checks.faults_of(experiment, platform)
    drivers = drivers_of(platform, experiment, request, stop)
    allow = experiment.settings.allow
    permissions = checks.check_access(faults, platform, [*driver_permissions(target, experiment), *bypassing(faults, platform, allow)])
    queue = Queue(platform, request.run_id, request.wait_s, stop, send)
    stack.callback(queue.release)
    if not request.dry_run:
        queue.take(_namespaces(target, drivers))
    unasked = health_ways.try_ways(platform)
    for text in [*unasked.values(), *(text for driver in drivers for text in driver.remarks())]:
        send(Kind.NOTE, text=text)
    permissions += permissions_of_ways(platform)
    before = _look(experiment, platform, drivers)
    queue_source = queue_gauge.queue_source(experiment, platform)
    for text in queue_source.remarks:
        send(Kind.NOTE, text=text)
    for driver in drivers if not request.dry_run else ():
        driver.provide(stack)
    unknown = request.dry_run and any(driver.needs().provides_targets for driver in drivers)
    targets = _choose([] if unknown else faults, experiment, platform, request.seed)
    before = with_targets(platform, before, [target for found in targets.values() for target in found])
    timers = {driver.name: driver.timers() for driver in drivers}
    room = displaced(faults, targets, platform, timers.values(), allow)
    undone = refused_undos(faults, targets, platform, allow)
    for text in [*room.sentences, *undone, *outside_view.check_outside(faults, targets, platform)]:
        send(Kind.NOTE, text=text)
    if not request.dry_run:
        queue.take([one for found in targets.values() for one in found])
    resolved = checks.gather(targets, platform, timers, before, commit())
    resolved = replace(resolved, bound=bound_replicas(room.bound, target, before.replicas), queue=queue_source)
    plan = make_plan(request, experiment, target, resolved, drivers)
    refuse_blind(plan)
    for text in below_floor(plan, plan.first.role):
        send(Kind.NOTE, text=text)
    blackouts.refuse_blackout(target, blackouts.now(), blackouts.longest_s(plan))
    for text in [] if request.dry_run else node_probes.check_nodes(faults, targets, platform, request.run_id, stop):
        send(Kind.NOTE, text=text)
    return Checked(experiment, platform, permissions, targets, before, plan, drivers, began_ns, queue_source.gauge)


def _namespaces(target: Target, drivers: list[Driver]) -> list[ResolvedTarget]:
    """Return the namespaces of what drives the run: each is taken by a lease."""
    return [namespace_of(name) for name in sorted({target.role(target.workloads[driver.name].role).namespace for driver in drivers})]


def _read(request: Request) -> tuple[Experiment, Target]:
    """Read both files; from here on nothing that is shown holds a credential that the target file leads to."""
    target = read_target(request.target)
    remember(of_target(target, os.environ))
    experiment = for_target(read_experiment(request.experiment, request.experiments_root), target)
    return experiment, target


def _look(experiment: Experiment, platform: Platform, drivers: list[Driver]) -> Before:
    """Refuse unless the platform is healthy, its instruments stand aside, no stop condition is met, and all that drives the run can."""
    before = checks.check_platform(platform)
    check_instruments(platform)
    stop_when.refuse_met(platform.region, stop_conditions_of(experiment, platform))
    wrong = [text for driver in drivers for text in driver.check()]
    if wrong:
        raise TargetRefused(f"{'; '.join(wrong)}; nothing was injected")
    return before


def _choose(faults: list[checks.Fault], experiment: Experiment, platform: Platform, seed: int) -> checks.Targets:
    """Choose the targets, and refuse those that may not be touched, or on which the fault would not work."""
    targets = checks.resolve(faults, platform, seed)
    checks.check_blast_radius(targets, platform, experiment)
    checks.check_signals(faults, targets, platform)
    return targets


def stop_conditions_of(experiment: Experiment, platform: Platform) -> tuple[StopWhen, ...]:
    """Return the stop conditions of the target file and of the experiment."""
    return (*platform.target.stop_when, *experiment.settings.stop_when)
