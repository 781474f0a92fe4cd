"""The suite's own preflight and phases without a cluster: real load, the API server in memory, phases that look more often than usual.

What only a cluster has is left out: leases, the reaper's Job, watches, Prometheus.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from history.budgets import Budgets
from history.plan import Plan, Timers, write_plan
from history.result import RunVerdict
from history.workloads import Load, Mix, Slo
from kube.client import Platform
from runner.drivers.driver import Driver
from runner.drivers.requests import progress
from runner.drivers.requests.driver import RequestsDriver
from runner.event_log import RunLog
from runner.experiment.experiment import Experiment, check_target
from runner.preflight import checks
from runner.preflight.platform_health import Before, look
from runner.run.abort import conditions
from runner.run.abort.conditions import Conditions
from runner.run.context import Context
from runner.run.lifecycle import Steps, run_phases
from runner.run.phases import baseline, confirm, heal, observe
from runner.run.phases.diagnostics import keep_diagnostics
from runner.run.phases.drain_and_judge import close_and_judge, drain
from runner.run.phases.inject import inject
from runner.run.toolkit_journal import ToolkitJournal
from runner.stop import SIGNALS, Stop
from safety import active_run
from safety.undo_journal import open_journal
from testing.load.scripted_server import write_prompts
from testing.runs.runner_parts import plan_of

SEED = 7
PACE = (
    (baseline, {"PERIOD_S": 0.1, "WARM_S": 3.0}),
    (observe, {"PERIOD_S": 0.1, "HYPOTHESIS_S": 0.3}),
    (confirm, {"PERIOD_S": 0.05}),
    (heal, {"PERIOD_S": 0.1}),
    (progress, {"MARGIN_S": 0.3}),
    (conditions, {"HANGS_S": 1.0}),
)
"""How often phases look, and how long they wait for a first sight (s): module, and its constants."""
_LOAD = {"model": "tiny", "mix": (Mix(weight=1, max_tokens=(2, 8)),), "timeout_s": 3.0, "seed": SEED}


def prepared(
    experiment: Experiment,
    platform: Platform,
    run_dir: Path,
    *,
    load: dict[str, Any],
    slo: Slo,
    timers: Timers,
    beside: Sequence[Driver] = (),
) -> tuple[Context, Before]:
    """Carry out preflight and return a run that can begin in ``run_dir``, which is made.

    Raises what preflight raises.

    Args:
        experiment: what is carried out.
        platform: the API in memory.
        run_dir: where the run is recorded.
        load: fields of its load besides the usual.
        slo: when a request is good.
        timers: how long each phase may take.
        beside: what drives the run besides requests.

    """
    check_target(experiment, platform.target)
    faults = checks.faults_of(experiment, platform)
    checks.check_access(faults, platform)
    targets = checks.resolve(faults, platform, SEED)
    checks.check_blast_radius(targets, platform, experiment)
    before = look(platform)
    run_dir.mkdir()
    hit = tuple({target.name: target for resolved in targets.values() for target in resolved}.values())
    plan = _plan(experiment, platform, run_dir, load, slo).model_copy(
        update={"timers": timers, "targets": hit, "replicas_desired": before.replicas}
    )
    others = tuple(driver.plan(Budgets(), timers, SEED) for driver in beside)
    plan = plan.model_copy(update={"workloads": (*plan.workloads, *others)})
    write_plan(plan, run_dir)
    log = RunLog(run_dir)
    journal = open_journal(platform, plan.run_id, "bench", experiment.id)
    run = active_run.ActiveRun(
        plan=plan, run_dir=run_dir, platforms={platform.region_name: platform}, journal=journal, log=log, targets=targets
    )
    return Context(run, experiment, {}, Stop(), _silent, ToolkitJournal(experiment.raw), log), before


def _plan(experiment: Experiment, platform: Platform, run_dir: Path, load: dict[str, Any], slo: Slo) -> Plan:
    prompts, url = write_prompts(run_dir / "prompts.jsonl"), platform.region.endpoints["inference"]
    written = experiment.settings.budgets
    return plan_of(
        experiment,
        slo=slo,
        load=Load.model_validate(_LOAD | {"url": url, "prompts": str(prompts)} | load),
        hypothesis_probes=tuple(probe.name for probe in experiment.hypothesis.probes),
        budgets=Budgets.model_validate(written.settings() | dict.fromkeys(("p95_ratio", "capacity_rto_s"))),
    )


def _silent(_kind: str, /, **_fields: object) -> None:
    """Report to nobody: the history holds it all."""


def carried_out(
    context: Context, before: Before, guards: list[Callable[[], tuple[str, str] | None]], beside: Sequence[Driver] = ()
) -> RunVerdict:
    """Carry a prepared run through its life, watched by ``guards``, and return its verdict; nothing of it is left active."""
    users = RequestsDriver(context.run.platform, context.run.plan.first.name)
    watching = Conditions(context.stop, guards)
    active_run.activate(context.run)
    try:
        with _quick(), _own_signals(context.stop):
            watching.start()
            return run_phases(context, _steps(before, [users, *beside]))
    finally:
        watching.halt()
        active_run.activate(None)
        drain(context)


def _steps(before: Before, drivers: Sequence[Driver]) -> Steps:
    return Steps(
        start=partial(baseline.start, drivers=drivers),
        baseline=baseline.baseline,
        write_ahead=lambda _context: None,  # the reaper's Job needs a cluster; the journal is the real one
        inject=inject,
        confirm=confirm.confirm,
        observe=observe.observe,
        diagnostics=keep_diagnostics,
        heal=partial(heal.heal, before=before),
        drain=drain,
        close=close_and_judge,
    )


@contextmanager
def _quick() -> Iterator[None]:
    with ExitStack() as stack:
        for module, constants in PACE:
            stack.enter_context(patch.multiple(module, **dict[str, Any](constants)))
        yield


@contextmanager
def _own_signals(stop: Stop) -> Iterator[None]:
    """Let the run own its signals, as in a process of its own; put back what was."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGUSR1)}
    stop.install()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
