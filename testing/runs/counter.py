"""A third kind of workload, the smallest there can be: a counter that counts a few times a second, with a ledger of its own.

It proves that a new driver touches no phase, no judge and no reader of files: all that it brings stands here, as it would in folders of its
own (CONTRIBUTING.md, "A new driver").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from history.budgets import Budgets
from history.clock import now_ns
from history.plan import Timers
from history.reader import LEDGERS
from history.values import Seconds
from history.workloads import WorkloadPlan
from history.writer import RowWriter
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers
from runner.drivers.driver import DrivenRun, Needs, Preparation, WorkloadFailed, driver
from runner.experiment.steady_state import Steady, steady_for
from target.mistakes import Refusal
from target.target import Target
from target.workload import SteadyState, WorkloadClass

COUNTS: dict[str, pl.DataType] = {"t_ns": pl.Int64(), "count": pl.Int64()}
STOPS = "counter-stops"  # while a run folder holds a file of this name, its counter stands still


class CounterSteadyState(SteadyState):
    """What must hold while all is well."""

    missing_at_most: int = 0  # replicas of the class's role


class CounterClass(WorkloadClass):
    """A class of counters, as a target file writes it."""

    kind: Literal["counter"] = "counter"
    every: Seconds = 0.05
    steady_state: CounterSteadyState = CounterSteadyState()

    def refusals(self, target: Target) -> Iterator[Refusal]:
        """Yield a counter that never pauses."""
        yield from super().refusals(target)
        if not self.every:
            yield ("every",), "a counter must pause; write 50ms"


@steady_for(CounterClass)
def steady(target: Target, workload: CounterClass) -> Steady:
    """Ask that the replicas of the class's role are there."""
    made = Steady("the counter's replicas are there")
    made.ask("replicas-are-there", "replicas.missing", (0, workload.steady_state.missing_at_most), role=workload.role)
    return made


class CounterPlan(WorkloadPlan):
    """How fast it counts."""

    LEDGERS: ClassVar[dict[str, dict[str, pl.DataType]]] = {"counter": COUNTS}
    kind: Literal["counter"] = "counter"
    every_s: float


@driver
class CounterDriver:
    """Counts until it has counted ``last`` times, or is ended."""

    kind: ClassVar[str] = "counter"

    def __init__(self, every_s: float = 0.05, last: int | None = None, name: str = "counting", role: str = "") -> None:
        self.name, self._every_s, self._last, self._role = name, every_s, last, role

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:  # noqa: ARG003 - the protocol's
        """Return that it needs none."""
        return ()

    @classmethod
    def of(cls, preparation: Preparation) -> CounterDriver:
        """Return one that counts as often as its class says."""
        workload = preparation.platform.target.workload(preparation.name, CounterClass)
        return cls(workload.every, name=preparation.name, role=workload.role)

    def needs(self) -> Needs:
        """Return that it needs nothing."""
        return Needs()

    def check(self) -> list[str]:
        """Return that nothing stands against it."""
        return []

    def remarks(self) -> list[str]:
        """Return that there is nothing to say."""
        return []

    def provide(self, stack: ExitStack) -> None:
        """Do nothing."""

    def timers(self) -> PlatformTimers:
        """Return that nothing of the platform bounds it."""
        return PlatformTimers(node_monitor_s=0, toleration_s=0, start_s=0, load_s=0)

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> CounterPlan:  # noqa: ARG002 - the protocol's
        """Return how fast it counts."""
        return CounterPlan(name=self.name, role=self._role, budgets=budgets, every_s=self._every_s)

    def start(self, run: DrivenRun) -> CounterProgress:
        """Start to count."""
        return CounterProgress(run.dir, self._every_s, self._last)


class CounterProgress:
    """The count, kept by a thread that writes its ledger."""

    def __init__(self, run_dir: Path, every_s: float, last: int | None) -> None:
        (run_dir / LEDGERS).mkdir(exist_ok=True)
        self._dir, self._every_s, self._last = run_dir, every_s, last
        self._writer = RowWriter(run_dir / LEDGERS, "counter", "driver")
        self._halt, self._counted_ns = threading.Event(), list[int]()
        self._thread = threading.Thread(target=self._count, name="counter", daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while not self._halt.wait(self._every_s) and len(self._counted_ns) != self._last:
            if not (self._dir / STOPS).exists():
                self._counted_ns.append(now_ns())
                self._writer.write({"t_ns": self._counted_ns[-1], "count": len(self._counted_ns)})

    def update(self) -> None:
        """Do nothing: the thread knows."""

    def failure(self) -> str:
        """Return that it counted to its end."""
        return "" if self._thread.is_alive() or self._halt.is_set() else f"the counter ended at {len(self._counted_ns)}"

    def lacks(self, since_ns: int) -> str:
        """Return that nothing was counted."""
        return "" if any(t_ns >= since_ns for t_ns in self._counted_ns) else "nothing was counted"

    def recovered(self, fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether it has counted without a break for the hold."""
        from_ns = max(fault_ns, not_before_ns, now_ns() - int(hold_s * 1e9))
        times = [t_ns for t_ns in self._counted_ns if t_ns >= from_ns]
        return now_ns() - not_before_ns >= hold_s * 1e9 and len(times) >= 0.5 * hold_s / self._every_s

    def text(self, window_s: float) -> str:
        """Return how often it counted lately."""
        return f"{sum(t_ns >= now_ns() - window_s * 1e9 for t_ns in self._counted_ns)} counts"

    def drain(self) -> tuple[Path, ...]:
        """Stop counting. Raises WorkloadFailed: it had ended before."""
        wrong = self.failure()
        if not self._halt.is_set():
            self._halt.set()
            self._thread.join()
            self._writer.close()
        if wrong:
            raise WorkloadFailed(wrong)
        return (self._writer.path,)


def stand_still(run_dir: Path, for_s: float) -> None:
    """Let the counter of a run stand still for a while."""
    (run_dir / STOPS).touch()
    time.sleep(for_s)
    (run_dir / STOPS).unlink()
