"""From a request to a run that can begin: preflight in its order, the plan on disk, the journal in the cluster, everything watched."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from history.clock import now_ns
from history.errors import AftershockError, TargetRefused
from history.plan import Phase, Plan, ResolvedTarget, write_plan
from history.result import RunVerdict
from history.schema import EventKind
from history.workloads import RequestsPlan
from kube.client import Platform, connect
from kube.health.choice import permissions_of_ways
from kube.permissions import Permission
from probes.prometheus.gauge import Gauge
from runner.drivers.choice import driver_permissions, drivers_of, read_target
from runner.drivers.driver import Driver
from runner.event_log import RunLog
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.experiment.variables import configuration_of
from runner.messages import Kind, Send
from runner.preflight import blackouts, checks, health_ways, node_probes, outside_view, queue_gauge
from runner.preflight.displaced import bound_replicas, displaced
from runner.preflight.floor import below_floor
from runner.preflight.instruments import check_instruments
from runner.preflight.judgeable import refuse_blind
from runner.preflight.lease_queue import Queue, namespace_of
from runner.preflight.planning import make_plan
from runner.preflight.platform_health import Before
from runner.preflight.undo_allowed import bypassing, refused_undos
from runner.redact import of_target
from runner.request import Request
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions, asked_by_annotation, overdue, parent_gone
from runner.run.abort.interference import interference
from runner.run.context import Context
from runner.run.lifecycle import Steps
from runner.run.observer.observer import Observer
from runner.run.phases.baseline import baseline, start
from runner.run.phases.confirm import confirm
from runner.run.phases.diagnostics import keep_diagnostics
from runner.run.phases.drain_and_judge import close_and_judge, drain
from runner.run.phases.heal import heal
from runner.run.phases.inject import inject
from runner.run.phases.observe import observe
from runner.run.ticker import Ticker
from runner.run.toolkit_journal import ToolkitJournal
from runner.stop import Stop
from safety import active_run, reaper_job
from safety.leases import holder_of
from safety.undo_journal import RunJournal, open_journal
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


def assemble(checked: Checked, request: Request, send: Send, stop: Stop, stack: ExitStack) -> tuple[Context, Steps]:
    """Write the plan, open the journal, begin to watch; ``stack`` undoes all that when the run is over.

    Raises:
        TargetRefused: the journal cannot be opened.
        FaultFailed: the reaper does not run.

    """
    plan, platform = checked.plan, checked.platform
    write_plan(plan, request.run_dir)
    journal = open_journal(platform, plan.run_id, holder_of(plan.run_id), checked.experiment.id)
    log = RunLog(request.run_dir, platform.region_name)
    log.event(EventKind.PHASE, Phase.PREFLIGHT.value, t_ns=checked.began_ns)
    run = active_run.ActiveRun(
        plan=plan, run_dir=request.run_dir, platforms={platform.region_name: platform}, journal=journal, log=log, targets=checked.targets,
        bypass_pdb=checked.experiment.settings.allow.bypass_pdb,
    )  # fmt: skip
    active_run.activate(run)
    context = Context(
        run=run,
        experiment=checked.experiment,
        configuration=configuration_of(checked.experiment, platform.target),
        stop=stop,
        send=send,
        toolkit_journal=ToolkitJournal(checked.experiment.raw),
        log=log,
    )
    _open(checked, context, journal, stack)
    return context, _steps(checked, *_watch(checked, context))


def _open(checked: Checked, context: Context, journal: RunJournal, stack: ExitStack) -> None:
    """See to it that the journal is closed; start the reaper before the load: a starting container takes CPU from what is measured."""
    reaper = reaper_job.needs_reaper(checked.permissions)
    stack.callback(_close_journal, context, journal, reaper=reaper)
    if reaper:
        reaper_job.start(checked.platform, checked.plan)


def _watch(checked: Checked, context: Context) -> tuple[Observer, Conditions, Ticker]:
    """Begin to watch the platform, what would stop the run, and its clock."""
    plan, platform = checked.plan, checked.platform
    observer = Observer(
        platform, context.log, context.observations, plan.first.role, requests=plan.of(RequestsPlan) is not None, queue=checked.queue
    )
    if not observer.start():
        context.note("observer: not every watch has seen its first list; what it missed is missing in the history")
    watched = [
        *stop_when.stop_conditions(platform.region, stop_conditions_of(checked.experiment, platform)),
        interference(context.run, lambda: context.phase),
    ]
    conditions = Conditions(context.stop, [parent_gone(os.getppid()), asked_by_annotation(platform), overdue(context), *watched])
    conditions.start()
    ticker = Ticker(context)
    ticker.start()
    return observer, conditions, ticker


def _steps(checked: Checked, observer: Observer, conditions: Conditions, ticker: Ticker) -> Steps:
    def write_ahead(context: Context) -> None:
        if reaper_job.needs_reaper(checked.permissions):
            reaper_job.check(context.run.platform, context.run.plan.run_id)

    def close(context: Context) -> RunVerdict:
        conditions.halt()
        ticker.halt()
        observer.stop()
        return close_and_judge(context)

    return Steps(
        start=partial(start, drivers=checked.drivers),
        baseline=baseline,
        write_ahead=write_ahead,
        inject=inject,
        confirm=confirm,
        observe=observe,
        diagnostics=keep_diagnostics,
        heal=partial(heal, before=checked.before),
        drain=drain,
        close=close,
    )


def _close_journal(context: Context, journal: RunJournal, *, reaper: bool) -> None:
    """Remove reaper and journal if everything is undone; otherwise both stay: the reaper acts, and ``heal`` finds the journal."""
    try:
        journal.close()
        if reaper:
            reaper_job.remove(context.run.platform, context.run.plan.run_id)
    except AftershockError as error:
        context.send(Kind.NOTE, text=str(error))
    active_run.activate(None)
