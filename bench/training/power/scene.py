"""One scenario's surroundings and record: the job, its stores, and a run folder as the suite writes it, for the suite's own judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench.training.power.job import BASE, POLL_S, RANKS, RESTARTS, Forked, Job, Launched, Settings, rows, step, wait
from history.budgets import Budgets
from history.close import close_run
from history.ledgers import LedgerWriter
from history.plan import Phase, Plan, ResolvedTarget, Timers, write_plan
from history.reader import read_run
from history.result import RunVerdict, write_verdict
from history.schema import EventKind
from history.writer import EventLog
from kube.wait import until
from testing.histories.plain_plan import plain_plan
from verdict.judge import judge

T = TypeVar("T")
READY_STEP, READY_CHECKPOINT = 45, 40  # a fault comes after this step, when the checkpoint before it is verified
START_S, BEYOND_S = 180.0, 8.0  # a busy machine may take long to start; what has not recovered so long after its budget has failed
LAST_CHECKPOINT, SETTLE_S = 70, 2.5
PROBE, PROBE_EVERY_S = "training-goes-on", 0.25
RTO_S = 30.0


@dataclass(frozen=True, slots=True)
class Spec:
    """What a scenario is, said before it runs. ``rpo_steps`` is the budget; targets are named as its actions name them."""

    id: str
    title: str
    targets: tuple[str, ...]
    evidence: tuple[str, ...]
    run: Callable[[Scene], None]
    rpo_steps: int = 20
    settings: Settings = field(default_factory=dict)
    torchrun: bool = False
    rto_s: float = RTO_S


class Scene:
    """One run of a scenario with one variant."""

    def __init__(self, folder: Path, spec: Spec, weak: Settings, seed: int) -> None:
        self.folder, self.spec, self.weak, self.seed = folder, spec, weak, seed
        self.settings: Settings = {**spec.settings, **weak}
        self.record = folder / "run"
        self.record.mkdir(parents=True)
        self._stack = ExitStack()
        self._log = EventLog(self.record, "bench")
        self._asked = (0.0, 0)
        self._activity = self._ends = ""
        self.job: Job

    def enter(self, part: AbstractContextManager[T]) -> T:
        """Enter a context that ends with the scene."""
        return self._stack.enter_context(part)

    def begin(
        self,
        stores: str = "",
        settings: Settings | None = None,
        started: Callable[[], object] = lambda: None,
        ready: tuple[int, int] = (READY_STEP, READY_CHECKPOINT),
    ) -> None:
        """Start the job and return when it is ``ready``: so many steps done, that checkpoint verified. Raises TimeoutError if never."""
        kind = Launched if self.spec.torchrun else Forked
        self.job = kind(self.folder / "job", {**(settings or {}), **self.settings}, stores)
        self._stack.callback(self.job.close)
        self.phase(Phase.PREFLIGHT)
        self.job.start()
        self._until(lambda: step(self.job) > 0)
        started()
        self.phase(Phase.BASELINE)
        self._until(lambda: step(self.job) >= ready[0] and bool(self.checkpoints(ready[1])))
        self.phase(Phase.INJECT)

    def _until(self, condition: Callable[[], bool]) -> None:
        if not wait(self.job, lambda: self._asking(condition), START_S):
            raise TimeoutError(f"{self.spec.id}: training did not come up: {self.job.gang.log.read_text()[-600:]}")

    def checkpoints(self, least: int) -> list[dict[str, object]]:
        """Return the saves of a step from ``least`` on that at least one store took."""
        return [row for row in rows(self.job, "checkpoint") if row["step"] >= least and any(not s["problem"] for s in row["stores"])]

    def phase(self, phase: Phase) -> None:
        """Note that a phase begins."""
        self._log.event(EventKind.PHASE, phase.value)

    def fault(self, activity: str, *targets: str, ends: str = "at once") -> None:
        """Note that an action begins; call it immediately before the effect."""
        self._activity, self._ends = activity, ends
        self._log.event(EventKind.FAULT_START, activity, targets=list(targets))

    def proven(self, evidence: str, seen: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until the effect is seen, and note it; or that it was not."""
        if until(lambda: self._asking(seen), within_s, POLL_S):
            self._log.event(EventKind.FAULT_CONFIRMED, evidence, observed=True)
            self._log.event(EventKind.FAULT_END, self._activity, how=self._ends)
        else:
            self._log.event(EventKind.FAULT_UNCONFIRMED, evidence, observed=False, deadline_s=within_s)

    def _asking(self, condition: Callable[[], bool]) -> bool:
        """Evaluate the hypothesis now and then, and the condition."""
        now, at = time.monotonic(), step(self.job)
        if now - self._asked[0] >= PROBE_EVERY_S:
            since, self._asked = self._asked, (now, at)
            if since[0]:
                self._log.event(EventKind.HYPOTHESIS, PROBE, met=at >= since[1], value=at, no_data=False)
        return condition()

    def observe(self) -> None:
        """Tend the job until it is done or the deadline has passed; one that gave up is watched that long, too."""
        self.phase(Phase.OBSERVE)
        limit_s = self.spec.rto_s + BEYOND_S
        deadline = time.monotonic() + limit_s
        wait(self.job, lambda: self._asking(lambda: self.job.ended or self._done()), limit_s)
        done = self._done()
        if done:  # a save with a store that is away takes seconds; a job that is through must not look like one that stands still
            wait(self.job, lambda: bool(self.checkpoints(LAST_CHECKPOINT)), SETTLE_S)
        else:
            time.sleep(max(0.0, deadline - time.monotonic()))
        self._log.event(EventKind.HYPOTHESIS, PROBE, met=done, value=step(self.job), no_data=False)

    def _done(self) -> bool:
        return step(self.job) >= int(str(BASE["steps"]))

    def finish(self, reference: bytes, variant: str) -> RunVerdict:
        """End everything, close the record and have it judged."""
        self.phase(Phase.HEAL)
        self._log.event(EventKind.HEAL_START)
        self._stack.close()
        self._log.event(EventKind.HEAL_END, clean=True, remains=[])
        self._log.close()
        write_plan(plan_of(self.spec, variant, self.seed), self.record)
        for name, text in (("training", self.job.gang.ledger.read_bytes()), ("reference", reference)):
            book = LedgerWriter(self.record, name, "bench")
            book.write(text)
            book.close()
        close_run(self.record)
        verdict = judge(read_run(self.record))
        write_verdict(verdict, self.record)
        return verdict

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        self._stack.close()


def plan_of(spec: Spec, variant: str, seed: int) -> Plan:
    """Return the plan: what was decided before the run."""
    return plain_plan(
        run_id=f"{spec.id}-{variant.replace(' ', '-')}-{seed}",
        created_ns=time.time_ns(),
        seed=seed,
        profile="power",
        experiment={
            "id": f"power/{spec.id}", "title": spec.title, "description": spec.title, "tags": ("power",), "hypothesis": "training goes on",
        },
        target={"name": "processes", "context": "none", "server": "none", "namespaces": ()},
        budgets=Budgets(rto_s=spec.rto_s, rpo_steps=spec.rpo_steps, source={"rto_s": "experiment", "rpo_steps": "experiment"}),
        training={
            "template": "none", "namespace": "none", "job": "test-run", "ledger": "file", "ranks": RANKS, "pods": 1,
            "max_restarts": RESTARTS, "steps": BASE["steps"], "batch": BASE["batch"], "interval_steps": BASE["interval"],
        },
        timers=Timers(baseline_s=0.3, hold_s=0.3, confirm_s=20, deadline_s=spec.rto_s + BEYOND_S, heal_s=10),
        targets=tuple(ResolvedTarget(kind="Process", name=name) for name in spec.targets),
        evidence=spec.evidence,
        hypothesis_probes=(PROBE,),
    )  # fmt: skip
