"""Preflight in its order: what is asked before anything is touched (:mod:`runner.run.asked`), and what may then be run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from history.clock import now_ns
from history.errors import TargetRefused
from history.layout import Layout
from history.plan import Phase, Plan, ResolvedTarget
from kube.client import Platform, api_errors, connect
from kube.health.choice import permissions_of_ways
from kube.layout.read import read_layout
from kube.lists.one_look import one_look
from kube.permissions import Permission
from probes.prometheus.gauge import Gauge
from runner.drivers.choice import read_target
from runner.drivers.driver import Driver
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.findings import About, Findings
from runner.messages import Kind, Send
from runner.preflight import blackouts, checks, health_ways, node_probes
from runner.preflight.floor import below_floor
from runner.preflight.judgeable import refuse_blind
from runner.preflight.lease_queue import Queue, control_plane_of, namespace_of, of_all
from runner.preflight.planning import make_plan
from runner.preflight.platform_health import Before, with_targets
from runner.preflight.queue_gauge import QueueSource
from runner.redact import of_target
from runner.request import Request
from runner.risks.find import find_risks
from runner.risks.proofs import read_proofs
from runner.run import asked
from runner.run.asked import Aimed, Prepared
from runner.stop import Stop
from target.secrets.known import remember
from target.target import Target

EXPERIMENTS = Path(__file__).parents[2] / "experiments"  # that are shipped


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
    leases: Queue | None = None  # that the run holds


def run_preflight(request: Request, send: Send, stop: Stop, stack: ExitStack) -> Checked:
    """Carry out preflight; a dry run takes no lease. Leases are given back when ``stack`` is closed.

    Raises:
        ConfigError, TargetRefused: with the sentences that say why nothing may be injected: all that a part of preflight found.

    """
    began_ns = now_ns()
    send(Kind.PHASE, name=Phase.PREFLIGHT.value)
    commit = checks.ask_commit(stack)
    experiment, target = _read(request)
    platform = connect(target)
    queue = Queue(platform, request.run_id, request.wait_s, stop, send)
    stack.callback(queue.release)
    prepared = _prepare(experiment, platform, request, stop, send)
    if not request.dry_run:
        first = [*control_plane_of(fault.spec for fault in prepared.faults), *_namespaces(target, prepared.drivers)]
        queue.take(first)
        if of_all(first):
            queue.wait_until_alone()  # before the platform is looked at: another run's fault is no state of before
    before, gauge, layout = _look(prepared, send)
    for driver in prepared.drivers if not request.dry_run else ():
        driver.provide(stack)
    aimed = _aim(prepared, request, send)
    before = with_targets(platform, before, aimed.all)
    if not request.dry_run:
        queue.take(aimed.all)
    resolved = checks.with_versions(asked.resolved(prepared, aimed, before, gauge), platform, commit())
    resolved = replace(resolved, layout=layout, risks=find_risks(layout, read_proofs([EXPERIMENTS, request.experiments_root])))
    plan = make_plan(request, experiment, target, resolved, prepared.drivers)
    refuse_unplannable(plan, target)
    for text in below_floor(plan, plan.first.role):
        send(Kind.NOTE, text=text)
    for text in [] if request.dry_run else node_probes.check_nodes(prepared.faults, aimed.targets, platform, request.run_id, stop):
        send(Kind.NOTE, text=text)
    rights = prepared.permissions + permissions_of_ways(platform)
    return Checked(experiment, platform, rights, aimed.targets, before, plan, prepared.drivers, began_ns, gauge.gauge, queue)


def _prepare(experiment: Experiment, platform: Platform, request: Request, stop: Stop, send: Send) -> Prepared:
    """Ask what must hold before leases are taken: the clock, what the target file names, the rights. Raises AftershockError."""
    findings = Findings()
    asked.ask_all(asked.FIRST, platform, findings)
    prepared = findings.ask(About.EXPERIMENTS, lambda: asked.prepare(experiment, platform, request, stop))
    if prepared is not None:
        asked.ask_account(prepared, findings)
    _conclude(findings, send)
    return cast("Prepared", prepared)  # else it was refused


def _look(prepared: Prepared, send: Send) -> tuple[Before, QueueSource, Layout]:
    """Refuse unless the platform is healthy, its instruments stand aside, no stop condition is met, and all that drives the run can.

    Of a platform that may be used it is read how it is built. The load tries its requests meanwhile: a process, which takes a second.
    """
    findings, platform = Findings(), prepared.platform
    beside = ThreadPoolExecutor(thread_name_prefix="preflight")
    try:
        tried = [(driver, beside.submit(driver.check)) for driver in prepared.drivers]
        findings.note(About.ROLES, (findings.ask(About.ROLES, lambda: health_ways.try_ways(platform)) or {}).values())
        once = one_look(platform)
        asked.ask_all(asked.THEN, once, findings)
        before = asked.ask_health(once, findings)
        gauge = asked.ask_prometheus(prepared, findings)
        for driver, check in tried:
            asked.ask_driver(driver, findings, check.result)
    finally:
        beside.shutdown(wait=False, cancel_futures=True)  # who is interrupted gives the leases back at once
    _conclude(findings, send)
    healthy = cast("Before", before)  # else it was refused
    with api_errors(f"target {platform.target.name}: read how the platform is built", TargetRefused):
        return healthy, gauge, read_layout(once, healthy.replicas, healthy.zone_of)


def _aim(prepared: Prepared, request: Request, send: Send) -> Aimed:
    """Choose the targets, and refuse those that may not be touched, or on which the fault would not work. Raises TargetRefused."""
    findings = Findings()
    aimed = asked.ask_targets(asked.known_now(prepared, request), request.seed, findings)
    _conclude(findings, send)
    return aimed


def _conclude(findings: Findings, send: Send) -> None:
    """Say what is worth knowing, and refuse if anything was refused. Raises AftershockError."""
    for note in findings.notes:
        send(Kind.NOTE, text=note.text)
    findings.refuse()


def refuse_unplannable(plan: Plan, target: Target) -> None:
    """Refuse a plan whose budget could never be judged, or that would meet a blackout window. Raises TargetRefused."""
    refuse_blind(plan)
    blackouts.refuse_blackout(target, blackouts.now(), blackouts.longest_s(plan))


def _namespaces(target: Target, drivers: list[Driver]) -> list[ResolvedTarget]:
    """Return the namespaces of what drives the run: each is taken by a lease."""
    return [namespace_of(name) for name in sorted({target.role(target.workloads[driver.name].role).namespace for driver in drivers})]


def _read(request: Request) -> tuple[Experiment, Target]:
    """Read both files; from here on nothing that is shown holds a credential that the target file leads to."""
    target = read_target(request.target)
    remember(of_target(target, os.environ))
    experiment = for_target(read_experiment(request.experiment, request.experiments_root), target)
    return experiment, target
