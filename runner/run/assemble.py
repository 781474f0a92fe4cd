"""From what preflight allows to a run that can begin: the plan on disk, the journal in the cluster, everything watched."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial

from history.errors import AftershockError
from history.plan import Phase, write_plan
from history.result import RunVerdict
from history.schema import EventKind
from history.workloads import RequestsPlan
from kube.machine_drivers import TIMEOUT_S
from runner.event_log import RunLog
from runner.experiment.catalogue import taken_away
from runner.experiment.format import Action
from runner.experiment.variables import configuration_of
from runner.messages import Kind, Send
from runner.preflight.lease_queue import of_all
from runner.request import Request
from runner.run.abort import stop_when
from runner.run.abort.conditions import Conditions, asked_by_annotation, overdue, parent_gone, pauses_s, record_lost
from runner.run.abort.interference import interference
from runner.run.asked import stop_conditions_of
from runner.run.context import Context
from runner.run.lifecycle import Steps
from runner.run.observer.alert_watch import judged_in
from runner.run.observer.observer import Observer
from runner.run.phases.baseline import baseline, start
from runner.run.phases.confirm import confirm
from runner.run.phases.diagnostics import keep_diagnostics
from runner.run.phases.drain_and_judge import close_and_judge, drain
from runner.run.phases.heal import heal
from runner.run.phases.inject import inject
from runner.run.phases.observe import observe
from runner.run.preflight import Checked
from runner.run.ticker import Ticker
from runner.run.toolkit_journal import ToolkitJournal
from runner.stop import Stop
from safety import active_run, reaper_job
from safety.leases import holder_of
from safety.silence import begin_silence
from safety.undo_journal import RunJournal, open_journal

ABSENCE_SLACK_S = TIMEOUT_S + 30.0  # from here until the fault acts, by its driver at the latest, and from its end until the server answers


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
        reaper_job.start(checked.platform, checked.plan, checked.permissions)


def _watch(checked: Checked, context: Context) -> tuple[Observer, Conditions, Ticker]:
    """Begin to watch the platform, what would stop the run, and its clock."""
    plan, platform = checked.plan, checked.platform
    requests, of = plan.of(RequestsPlan) is not None, plan.first.role
    nodes = checked.before.nodes  # of the platform, and those that are to be hit
    observer = Observer(
        platform, context.log, context.observations, of, requests=requests, queue=checked.queue, nodes=nodes, alerts=judged_in(plan)
    )
    if not observer.start():
        context.note("observer: not every watch has seen its first list; what it missed is missing in the history")
    watched = [
        *stop_when.stop_conditions(platform.region, stop_conditions_of(checked.experiment, platform)),
        interference(context.run, lambda: context.phase),
    ]
    own = [parent_gone(os.getppid()), record_lost(context.log), asked_by_annotation(platform), overdue(context)]
    conditions = Conditions(context.stop, [*own, *watched])
    conditions.start()
    ticker = Ticker(context)
    ticker.start()
    return observer, conditions, ticker


def _steps(checked: Checked, observer: Observer, conditions: Conditions, ticker: Ticker) -> Steps:
    def write_ahead(context: Context) -> None:
        if reaper_job.needs_reaper(checked.permissions):
            reaper_job.check(context.run.platform, context.run.plan.run_id)
        _demand_alone(checked)
        for said in begin_silence(context.run, pauses_s(context.experiment.raw)):
            context.note(said)

    def close(context: Context) -> RunVerdict:
        conditions.halt()
        ticker.halt()
        observer.stop()
        return close_and_judge(context)

    return Steps(
        start=partial(start, drivers=checked.drivers),
        baseline=baseline,
        write_ahead=write_ahead,
        inject=partial(inject, ahead=partial(_just_ahead, checked)),
        confirm=confirm,
        observe=observe,
        diagnostics=keep_diagnostics,
        heal=partial(heal, before=checked.before),
        drain=drain,
        close=close,
    )


def _demand_alone(checked: Checked) -> None:
    """Demand that no run came meanwhile, if the fault hits everybody on the cluster. Raises FaultFailed."""
    every = [target for found in checked.targets.values() for target in found]
    if of_all(every) and checked.leases is not None:
        checked.leases.demand_alone()


def _just_ahead(checked: Checked, action: Action) -> None:
    """Let the run's leases outlast an action that takes the API server away, right before it. Raises FaultFailed."""
    if checked.leases is not None and taken_away([action]):
        checked.leases.expect_absence(checked.plan.timers.fault_s + ABSENCE_SLACK_S)


def _close_journal(context: Context, journal: RunJournal, *, reaper: bool) -> None:
    """Remove reaper and journal if everything is undone; otherwise both stay: the reaper acts, and ``heal`` finds the journal."""
    try:
        journal.close()
        if reaper:
            reaper_job.remove(context.run.platform, context.run.plan.run_id)
    except AftershockError as error:
        context.send(Kind.NOTE, text=str(error))
    active_run.activate(None)
