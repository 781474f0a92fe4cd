"""``python -m bench.robustness.safety``: what preflight, and lease and journal of a fault, cost.

On a platform (make deploy); it injects nothing.

Preflight is what the child does before anything happens, every request to the API server included: alone, and as a dry run in a process of
its own, in which Python's imports are most of the time. A fault's safety is what stands between the decision and the effect: its lease
taken, its undo written ahead. The leases and journals are the bench's own; nobody waits for them, and they are removed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from history.clock import now_ns
from history.plan import ResolvedTarget
from kube.client import Platform, connect
from runner.preflight.lease_queue import Queue
from runner.request import Request
from runner.run.preflight import run_preflight
from runner.stop import Stop
from safety.leases import holder_of
from safety.undo_journal import Undo, UndoKind, open_journal
from target.target import load_target

ROOT = Path(__file__).parents[2]
RUN = "bench-safety"
PREFLIGHT_S, FAULT_S = 2.0, 0.1
Figures = list[float]  # seconds


def main() -> int:
    """Print every figure beside its bound; exit 1 if a median is above it."""
    parser = argparse.ArgumentParser(prog="python -m bench.robustness.safety", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", metavar="FILE")
    parser.add_argument("--experiment", default="serving/replica-killed", help="whose preflight (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        request = request_for(options.experiment, options.target.resolve(), Path(folder))
        alone = timed(lambda: preflight(request), options.runs + 1)[1:]  # the first imports what the experiment names
        busy = timed(lambda: preflight(request), 3, time.process_time)
        whole = timed(lambda: dry_run(request), max(3, options.runs // 3))
    fault = faults(connect(load_target(options.target)), options.runs)
    table = Table("measured", "median", "worst", "bound")
    table.add_row(f"preflight of {options.experiment}, {len(alone)} times", *shown(alone), f"{PREFLIGHT_S:g} s")
    table.add_row("… of it processor time of this process", *shown(busy), "none set")
    table.add_row(f"the same as a dry run in a process of its own, {len(whole)} times", *shown(whole), "none set")
    table.add_row(f"lease and journal a fault, {len(fault)} times", *shown(fault), f"{FAULT_S:g} s")
    Console(width=120).print(table)
    return int(median(alone) > PREFLIGHT_S or median(fault) > FAULT_S)


def request_for(experiment: str, target: Path, folder: Path) -> Request:
    """Return a dry run's request."""
    file = ROOT / "experiments" / f"{experiment}.yaml"
    return Request(
        run_id=RUN, run_dir=folder, experiment=file, experiments_root=ROOT / "experiments", target=target, seed=1, profile="smoke",
        dry_run=True,
    )  # fmt: skip


def preflight(request: Request) -> None:
    """Carry out preflight in this process. Raises TargetRefused."""
    with ExitStack() as stack:
        run_preflight(request, lambda *_, **__: None, Stop(), stack)


def dry_run(request: Request) -> None:
    """Carry out a dry run as the suite does. Raises CalledProcessError."""
    words = [sys.executable, "-m", "runner.run.child", json.dumps(json.loads(request.model_dump_json()))]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)


def faults(platform: Platform, runs: int) -> Figures:
    """Return what lease and journal of one fault took, ``runs`` times."""
    target = ResolvedTarget(kind="Node", name=RUN, node=RUN, effect="none", ends="at once")
    undo = Undo(kind=UndoKind.NOTHING, activity="bench", object=RUN, ends_by_ns=now_ns())
    taken: Figures = []
    for number in range(runs):
        journal = open_journal(platform, f"{RUN}-{number}", holder_of(RUN), RUN)
        queue = Queue(platform, RUN, 0.0, Stop(), lambda *_, **__: None)
        try:
            began_s = time.perf_counter()
            queue.take([target])
            journal.will_undo(undo)
            taken.append(time.perf_counter() - began_s)
        finally:
            journal.undone(undo)
            journal.close()
            queue.release()
    return taken


def timed(act: Callable[[], object], runs: int, clock: Callable[[], float] = time.perf_counter) -> Figures:
    """Return how long ``act`` took each time (s, by ``clock``)."""
    taken: Figures = []
    for _ in range(runs):
        began_s = clock()
        act()
        taken.append(clock() - began_s)
    return taken


def shown(figures: Figures) -> tuple[str, str]:
    """Return median and worst as a person reads them."""
    return f"{median(figures) * 1e3:.0f} ms", f"{max(figures) * 1e3:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
