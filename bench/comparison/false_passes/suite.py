"""One case by this suite: its own collection, preflight, phases and verdict (:mod:`bench.common.in_memory`).

Only the clock is shorter than in a usual run: baseline, hold and deadline by the plan, and how often a phase looks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bench.common.in_memory import carried_out, prepared
from bench.common.memory_cluster import target_for
from bench.common.tables import ROOT
from bench.comparison.false_passes.cases import Case
from bench.comparison.false_passes.memory import MemoryCluster
from bench.comparison.false_passes.parts import STOPPED, URL, safeguard, state_of_server, thaw
from bench.comparison.false_passes.platform import platform_of
from history.errors import AftershockError
from history.plan import Timers
from history.reader import read_run, read_table
from history.result import RunVerdict
from history.schema import EventKind
from history.workloads import Slo
from runner.experiment.experiment import read_experiment
from testing.waiting import wait_for
from verdict import judge

SLO = Slo(ratio=0.9, latency_ms=400)
TIMERS = Timers(baseline_s=0.4, hold_s=0.3, confirm_s=1.0, deadline_s=2.0, heal_s=0.4)
LOAD = {"rate_rps": 150, "arrivals": "constant", "in_flight_cap": 2000, "horizon_s": 30.0}


@dataclass(frozen=True, slots=True)
class Result:
    """What this suite says of a case. ``verdict`` is ``refused`` before anything was injected; then ``check`` is the phase that refused."""

    verdict: str
    check: str
    sentence: str
    checks: dict[str, tuple[str, str]]  # name -> verdict and sentence
    left_stopped: bool = False


def run(case: Case, folder: Path) -> Result:
    """Run ``case`` through this suite; its files go to ``folder``."""
    if case.killed:
        return _killed(case, folder)
    with platform_of(case, folder) as file:
        result = _run(file, folder / "run", case.deadline_s)
        return replace(result, left_stopped=state_of_server() == STOPPED)


def _run(file: Path, run_dir: Path, deadline_s: float) -> Result:
    phase, timers = "collection", TIMERS.model_copy(update={"deadline_s": deadline_s})
    try:
        experiment = read_experiment(file, file.parent)
        phase, platform = "preflight", MemoryCluster().platform(target_for(os.environ[URL]))
        context, before = prepared(experiment, platform, run_dir, load=LOAD, slo=SLO, timers=timers)
    except AftershockError as error:
        sentence = str(error).replace(f"{file.parent}/", "")
        return Result("refused", phase, sentence, {phase: ("refused", sentence)})
    return result_of(carried_out(context, before, [safeguard]))


def _killed(case: Case, folder: Path) -> Result:
    """Let a child carry out the case and not survive it; then judge what it left, as ``python -m verdict`` does."""
    with platform_of(case, folder) as file:
        module = "bench.comparison.false_passes"
        code = f"import sys; from pathlib import Path; from {module} import suite; suite._run(*map(Path, sys.argv[1:]), 2.0)"
        subprocess.run([sys.executable, "-c", code, str(file), str(folder / "run")], cwd=ROOT, check=False, timeout=60)
        left_stopped = state_of_server() == STOPPED
        thaw()  # so that the load, which ends once its parent is gone, ends soon
        wait_for(lambda: _load_ended(folder / "run"), "the load ends once its parent is gone")
        return replace(result_of(judge(read_run(folder / "run"))), left_stopped=left_stopped)


def _load_ended(run_dir: Path) -> bool:
    return EventKind.LOAD_STOP.value in read_table(run_dir, "events")["kind"]


def result_of(verdict: RunVerdict) -> Result:
    """Return a verdict with the check that its sentence comes from."""
    decides = next(check.name for check in verdict.checks if verdict.sentence.startswith(check.sentence))
    return Result(verdict.verdict.value, decides, verdict.sentence, {c.name: (c.verdict.value, c.sentence) for c in verdict.checks})
