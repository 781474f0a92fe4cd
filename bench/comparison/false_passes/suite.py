"""One case by this suite: its own collection, preflight, phases and verdict, real load on the real server, the API server in memory.

Only the clock is shorter than in a usual run: baseline, hold and deadline by the plan, and how often a phase looks. Left out is what only a
cluster has: leases, the reaper's Job, watches.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bench.common.in_memory import carried_out, prepared
from bench.comparison.false_passes.cases import Case
from bench.comparison.false_passes.memory import MemoryCluster, target_for
from bench.comparison.false_passes.parts import STOPPED, URL, safeguard, state_of_server, thaw
from bench.comparison.false_passes.platform import ROOT, platform_of
from history.errors import AftershockError
from history.plan import Load, Mix, Plan, Slo, Timers
from history.reader import read_run, read_table
from history.result import RunVerdict
from history.schema import EventKind
from runner.drivers.requests import progress
from runner.experiment.experiment import Experiment, read_experiment
from runner.run.phases import baseline, confirm, heal, observe
from testing.load.load_runs import wait_until
from testing.load.scripted_server import write_prompts
from testing.runs.runner_parts import plan_of
from verdict import judge

SEED = 7
SLO = Slo(ratio=0.9, latency_ms=400)
TIMERS = Timers(baseline_s=0.4, hold_s=0.3, confirm_s=1.0, deadline_s=2.0, heal_s=0.4)
QUICK = (
    (baseline, {"PERIOD_S": 0.1, "WARM_S": 1.0}),
    (observe, {"PERIOD_S": 0.1, "HYPOTHESIS_S": 0.3}),
    (confirm, {"PERIOD_S": 0.05}),
    (heal, {"PERIOD_S": 0.1}),
    (progress, {"MARGIN_S": 0.3}),
)
"""How often phases look, and how long they wait for a first sight (s)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What this suite says of a case. ``verdict`` is ``refused`` before anything was injected; then ``check`` is the phase that refused."""

    verdict: str
    check: str
    sentence: str
    checks: dict[str, tuple[str, str]]  # name -> verdict and sentence
    left_stopped: bool = False


def run(case: Case, folder: Path) -> Told:
    """Run ``case`` through this suite; its files go to ``folder``."""
    if case.killed:
        return _killed(case, folder)
    with platform_of(case, folder) as file:
        told = _run(file, folder / "run", case.deadline_s)
        return replace(told, left_stopped=state_of_server() == STOPPED)


def _run(file: Path, run_dir: Path, deadline_s: float) -> Told:
    try:
        experiment = read_experiment(file, file.parent)
    except AftershockError as error:
        return _refused("collection", error, file.parent)
    platform = MemoryCluster().platform(target_for(_url()))
    try:
        context, before = prepared(experiment, platform, run_dir, SEED, lambda: _plan(experiment, run_dir, deadline_s))
    except AftershockError as error:
        return _refused("preflight", error, file.parent)
    return told_of(carried_out(context, before, [safeguard], QUICK))


def _plan(experiment: Experiment, run_dir: Path, deadline_s: float) -> Plan:
    load = Load(
        url=_url(),
        model="tiny",
        rate_rps=150,
        arrivals="constant",
        mix=(Mix(weight=1, max_tokens=(2, 8)),),
        prompts=str(write_prompts(run_dir / "prompts.jsonl")),
        in_flight_cap=2000,
        timeout_s=3.0,
        horizon_s=30.0,
        seed=SEED,
    )
    written = experiment.settings.budgets
    names = tuple(one.name for one in experiment.document.hypothesis.probes)
    budgets = {"rto_s": written.rto}
    timers = TIMERS.model_copy(update={"deadline_s": deadline_s})
    made = plan_of(experiment, load=load, slo=SLO, hypothesis_probes=names, timers=timers)
    return made.model_copy(update={"budgets": made.budgets.model_copy(update=budgets | {"availability": None})})


def _killed(case: Case, folder: Path) -> Told:
    """Let a child carry out the case and not survive it; then judge what it left, as ``python -m verdict`` does."""
    with platform_of(case, folder) as file:
        module = "bench.comparison.false_passes"
        code = f"import sys; from pathlib import Path; from {module} import suite; suite._run(*map(Path, sys.argv[1:]), 2.0)"
        subprocess.run([sys.executable, "-c", code, str(file), str(folder / "run")], cwd=ROOT, check=False, timeout=60)
        left_stopped = state_of_server() == STOPPED
        thaw()  # so that the load, which ends once its parent is gone, ends soon
        wait_until(lambda: _load_ended(folder / "run"), "the load ends once its parent is gone")
        return replace(told_of(judge(read_run(folder / "run"))), left_stopped=left_stopped)


def _load_ended(run_dir: Path) -> bool:
    return EventKind.LOAD_STOP.value in read_table(run_dir, "events")["kind"]


def told_of(verdict: RunVerdict) -> Told:
    """Return a verdict with the check that its sentence comes from."""
    decides = next(check.name for check in verdict.checks if verdict.sentence.startswith(check.sentence))
    return Told(verdict.verdict.value, decides, verdict.sentence, {c.name: (c.verdict.value, c.sentence) for c in verdict.checks})


def _refused(phase: str, error: AftershockError, folder: Path) -> Told:
    sentence = str(error).replace(f"{folder}/", "")
    return Told("refused", phase, sentence, {phase: ("refused", sentence)})


def _url() -> str:
    return os.environ[URL]
