"""Training runs as constructed ledgers: lives of a job around a fault, the run that followed it, its verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from history.budgets import Budgets
from history.ledgers import RUNNER, training_rows
from history.plan import Phase, Plan, ResolvedTarget, Timers
from history.reader import Run
from history.result import Check, RunVerdict
from history.schema import EVENTS, REQUESTS, SAMPLES, SCHEDULE, TRAINING, EventKind
from history.workloads import State, Training
from testing.histories.edits import add_events
from testing.histories.plain_plan import plain_plan
from verdict import judge

BASE_NS = 1_790_000_000_000_000_000
STEP_S, RANKS, INTERVAL, BATCH = 0.2, 3, 10, 6
JOB = Training(
    template="trainer", namespace="n", job="j", ranks=RANKS, pods=RANKS, steps=400, batch=BATCH, max_restarts=100,
    interval_steps=INTERVAL, ledger="ledger:1", reference="r",
)  # fmt: skip


def ns(t_s: float) -> int:
    return BASE_NS + round(t_s * 1e9)


EXACT = State()


@dataclass(frozen=True)
class Life:
    """One attempt: it begins at ``start_s``, resumes from ``resumed`` and does steps up to ``last``."""

    start_s: float
    resumed: int
    last: int
    depth: int = 0
    rejected: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("a", "b", "c")
    skip: int = 0  # samples later in the order than it should be
    wrong_from: int = 10**9  # from this step on its state is another
    step_s: float = STEP_S
    saves: bool = True
    ranks: int = RANKS
    loss: float = 1.0
    origin: int = 0  # attempt of the checkpoint that it went on from; 0: the one before


@dataclass(frozen=True)
class Story:
    """A fault at 20 s; by default a rank is killed at step 100 and training resumes from step 90 four seconds later."""

    lives: tuple[Life, ...] = (Life(0.0, 0, 100), Life(24.0, 90, 250))
    fault_s: float = 20.05
    heal_s: float = 45.0
    budgets: Budgets = field(default_factory=lambda: Budgets(rto_s=30, rpo_steps=20, rpo_samples=120))
    kind: str = "fault"
    reference: bool = True
    without: frozenset[tuple[int, int]] = frozenset()  # (attempt, step) of rows of rank 1 that are missing
    state: State = EXACT


NEVER = Story(lives=(Life(0.0, 0, 100),), heal_s=60.0)


def row(kind: str, attempt: int, rank: int, step: int, t_s: float, **values: object) -> dict[str, object]:
    fixed = {"kind": kind, "attempt": attempt, "rank": rank, "step": step, "t_ns": ns(t_s), "run": "j", "host": "h", "pid": attempt}
    return fixed | values


def life_rows(attempt: int, life: Life) -> list[dict[str, object]]:
    detail = {"world": life.ranks, "depth": life.depth, "rejected": life.rejected, "restore_s": 0.5, "restart": attempt - 1}
    checkpoint = f"step-{life.resumed:08d}.a{life.origin or attempt - 1:04d}" if life.resumed else None
    rows = [row("start", attempt, 0, life.resumed, life.start_s, checkpoint=checkpoint, **detail)]
    for step in range(life.resumed + 1, life.last + 1):
        t_s = life.start_s + (step - life.resumed) * life.step_s
        for rank in range(life.ranks):
            at = (step - 1) * BATCH + life.skip
            ids = list(range(at, at + BATCH))[rank :: life.ranks]
            done = {"samples": ids, "outcome": "applied", "loss": life.loss, "loss_digest": "d"}
            rows.append(row("step", attempt, rank, step, t_s, host=life.hosts[rank], **done))
        if step % INTERVAL == 0:
            digest = f"{step}" if step < life.wrong_from else f"other {step}"
            rows.append(row("state", attempt, 0, step, t_s, digest=digest))
            if life.saves:
                stores = [{"url": "s3", "problem": "", "verified": [step, ns(t_s)]}]
                rows.append(row("checkpoint", attempt, 0, step, t_s + 0.3, digest=digest, stores=stores))
    return rows


def apart(rows: list[dict[str, object]], apart_s: float) -> list[dict[str, object]]:
    """Return ``rows`` as hosts write them whose clocks lie ``apart_s`` from the one that times faults."""
    return [one | {"t_ns": int(str(one["t_ns"])) + round(apart_s * 1e9)} for one in rows]


def asked(apart_s: float, error_s: float = 0.002) -> list[dict[str, object]]:
    """Return the clock rows of such hosts, and of the suite, whose clock is the ledger server's."""
    error_ns, hosts = round(error_s * 1e9), ("a", "b", "c", "h")
    offset_ns = -round(apart_s * 1e9)
    told = [row("clock", 1, rank, 1, 0.1, host=host, offset_ns=offset_ns, error_ns=error_ns) for rank, host in enumerate(hosts)]
    return [*told, suite_asked(error_s)]


def suite_asked(error_s: float = 0.002) -> dict[str, object]:
    """Return the suite's own clock row."""
    return row("clock", 0, -1, 0, 0.0, host=RUNNER, offset_ns=0, error_ns=round(error_s * 1e9))


def arrived(rows: list[dict[str, object]], delay_s: float = 0.005) -> list[dict[str, object]]:
    """Return ``rows`` as the ledger's server keeps them: with when they came, by its clock."""
    return [one | {"received_ns": int(str(one["t_ns"])) + round(delay_s * 1e9)} for one in rows]


def hung(step_s: float, pause_s: float, budget_s: float) -> tuple[Story, list[dict[str, object]]]:
    """Return a job that does a step each ``step_s``, hangs for ``pause_s`` at the fault, and goes on in the same attempt; and its rows."""
    last_s = 10 * step_s
    lives = (Life(0.0, 0, 10, step_s=step_s), Life(last_s + pause_s - step_s, 10, 40, step_s=step_s))
    story = Story(lives=lives, fault_s=last_s + 1, heal_s=last_s + pause_s + 15 * step_s, budgets=Budgets(rto_s=budget_s))
    rows = [one | {"attempt": 1, "pid": 1} for one in rows_of(story) if not (one["kind"] == "start" and one["attempt"] == 2)]
    return story, rows


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    text = b"".join(json.dumps(row_of).encode() + b"\n" for row_of in rows)
    return pl.DataFrame(list(training_rows(text)), schema=TRAINING)


def rows_of(story: Story) -> list[dict[str, object]]:
    rows = [made for number, life in enumerate(story.lives, 1) for made in life_rows(number, life)]
    return [
        made for made in rows if not (made["kind"] == "step" and made["rank"] == 1 and (made["attempt"], made["step"]) in story.without)
    ]


def events_of(story: Story) -> list[dict[str, object]]:
    phases = {Phase.BASELINE: 2.0, Phase.INJECT: story.fault_s, Phase.OBSERVE: story.fault_s + 1, Phase.HEAL: story.heal_s}
    events: list[tuple[float, EventKind, str, dict[str, object]]] = [
        (t_s, EventKind.PHASE, phase.value, {}) for phase, t_s in phases.items()
    ]
    events.append((0.0, EventKind.CLOCK, "runner", {"wall_ns": 1, "monotonic_ns": 0}))
    if story.kind == "fault":
        events.append((story.fault_s, EventKind.FAULT_START, "kill", {"targets": ["trainer-1"]}))
        events.append((story.fault_s + 0.5, EventKind.FAULT_CONFIRMED, "killed", {"observed": "True"}))
    events += [
        (t_s, EventKind.HYPOTHESIS, "advances", {"met": True, "value": 5.0 + t_s / 100, "no_data": False})
        for t_s in (3.0, 8.0, 15.0, story.heal_s - 0.5)
    ]
    events += [(story.heal_s, EventKind.HEAL_START, "", {}), (story.heal_s + 2, EventKind.HEAL_END, "", {"clean": True, "remains": []})]
    return [{"t_ns": ns(t_s), "kind": kind.value, "object": obj, "detail": json.dumps(detail)} for t_s, kind, obj, detail in sorted(events)]


def plan_of(story: Story) -> Plan:
    aimed = story.kind == "fault"
    return plain_plan(
        run_id="r",
        created_ns=BASE_NS,
        seed=1,
        experiment={"id": "training/x", "fault": story.kind},
        budgets=story.budgets,
        training=dict(JOB) | {"state": story.state},
        timers=Timers(baseline_s=15, hold_s=10, confirm_s=30, deadline_s=60, heal_s=60),
        targets=(ResolvedTarget(kind="Pod", name="trainer-1"),) if aimed else (),
        evidence=("killed",) if aimed else (),
        hypothesis_probes=("advances",),
    )


def run_of(story: Story, rows: list[dict[str, object]] | None = None) -> Run:
    tables = {name: pl.DataFrame(schema=schema) for name, schema in (("requests", REQUESTS), ("samples", SAMPLES), ("schedule", SCHEDULE))}
    training = {"training": frame(rows_of(story) if rows is None else rows)}
    if story.reference:
        training["reference"] = frame(life_rows(1, Life(0.0, 0, 400)))
    events = pl.DataFrame(events_of(story), schema=EVENTS)
    return Run(Path(), plan_of(story), tables["requests"], events, tables["samples"], tables["schedule"], ledgers=training)


def with_events(story: Story, *events: tuple[float, EventKind, str]) -> Run:
    return add_events(run_of(story), [(ns(t_s), kind, name, {}) for t_s, kind, name in events])


def judged(story: Story | None = None) -> RunVerdict:
    return judge(run_of(story or Story()))


def check(verdict: RunVerdict, name: str) -> Check:
    return next(one for one in verdict.checks if one.name == name)


def value(verdict: RunVerdict, name: str) -> float:
    found = verdict.measurement(name)
    assert found is not None, name
    assert found.value is not None, found
    return found.value
