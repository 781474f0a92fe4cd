"""Runs of asynchronous jobs as constructed ledgers: engines are away from the fault on for a while, then the backlog drains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from history.budgets import Budgets
from history.plan import Phase, Plan, ResolvedTarget, Timers
from history.reader import Run
from history.schema import EVENTS, REQUESTS, SAMPLES, SCHEDULE, EventKind
from testing.histories.plain_plan import plain_plan
from testing.histories.training_stories import ns
from verdict.async_inference.plan import BACKLOG, ENDED, FETCHED, SUBMITTED, AsyncPlan, AsyncSlo, Jobs

EVERY_S, FAULT_S, LAST_S, HEAL_S = 0.25, 40.0, 140.0, 120.0
SPEED_S = 0.125  # from one end to the next while a backlog drains: 8 jobs/s
SLO = AsyncSlo(ratio=0.95, accepted_s=2, done_s=10)
JOBS = Jobs(endpoint="async", api="api:1", rate_rps=1 / EVERY_S, model="m", prompts="p", cancelled=0.5)
Row = dict[str, object]


@dataclass(frozen=True)
class JobStory:
    """Engines are away for ``away_s`` from the fault at 40 s on; every job is otherwise done half a second after it was accepted.

    ``lost``, ``twice``, ``unfetched``, ``wrong``, ``dead``, ``refused``: numbers of jobs of which that is so.
    """

    away_s: float = 20.0
    lost: frozenset[int] = frozenset()
    twice: frozenset[int] = frozenset()
    again: frozenset[int] = frozenset()
    unfetched: frozenset[int] = frozenset()
    wrong: frozenset[int] = frozenset()
    dead: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()
    rto_s: float = 60.0
    seen_s: float = LAST_S + JOBS.drain_s  # until then the queue could be looked at


def run_of_jobs(story: JobStory) -> Run:
    """Return the run."""
    asked = [number * EVERY_S for number in range(int(LAST_S / EVERY_S))]
    ends = _ends(story, asked)
    ledgers = {"jobs_submitted": _submitted(story, asked), "jobs_ended": _ended(story, ends), "jobs_fetched": _fetched(story, ends)}
    ledgers["jobs_backlog"] = _backlog(story, asked, ends)
    tables = [pl.DataFrame(schema=schema) for schema in (REQUESTS, SAMPLES, SCHEDULE)]
    return Run(Path(), _plan(story), tables[0], _events(), tables[1], tables[2], ledgers=ledgers)


def _ends(story: JobStory, asked: list[float]) -> dict[int, float]:
    """Return when each accepted job ended: those of the fault one after the other, once engines are back."""
    ends, free_s = dict[int, float](), 0.0
    for number, t_s in enumerate(asked):
        if number in story.refused | story.lost:
            continue
        begun_s = FAULT_S + story.away_s if FAULT_S - 0.5 < t_s < FAULT_S + story.away_s else t_s + 0.4
        free_s = max(begun_s, free_s) + SPEED_S
        ends[number] = free_s
    return ends


def _submitted(story: JobStory, asked: list[float]) -> pl.DataFrame:
    rows = []
    for number, t_s in enumerate(asked):
        status = 429 if number in story.refused else 202
        answered: Row = {"job": f"j{number}", "intended_ns": ns(t_s), "sent_ns": ns(t_s + 0.001), "answered_ns": ns(t_s + 0.01)}
        rows.append(answered | {"status": status, "error": None, "cancelled": number % 2 == 0 and status == 202})
    return pl.DataFrame(rows, schema=SUBMITTED)


def _ended(story: JobStory, ends: dict[int, float]) -> pl.DataFrame:
    rows: list[Row] = []
    for number, t_s in ends.items():
        state, attempts = "dead" if number in story.dead else "done", 2 if number in story.again else 1
        row: Row = {"job": f"j{number}", "state": state, "attempts": attempts, "seen_ns": ns(t_s), "place": f"{number}-0"}
        rows += [row, row | {"place": f"{number}-1"}] if number in story.twice else [row]
    return pl.DataFrame(rows, schema=ENDED)


def _fetched(story: JobStory, ends: dict[int, float]) -> pl.DataFrame:
    rows: list[Row] = [
        {
            "job": f"j{number}",
            "t_ns": ns(LAST_S + 1),
            "status": 404 if number in story.unfetched else 200,
            "right": number not in story.wrong,
        }
        for number in ends
        if number not in story.dead
    ]
    return pl.DataFrame(rows, schema=FETCHED)


def _backlog(story: JobStory, asked: list[float], ends: dict[int, float]) -> pl.DataFrame:
    rows: list[Row] = []
    for step in range(int(story.seen_s / 0.25)):
        t_s = step * 0.25
        waiting = [asked[number] for number, end_s in ends.items() if asked[number] <= t_s < end_s]
        rows.append({"t_ns": ns(t_s), "depth": len(waiting), "oldest_s": t_s - min(waiting, default=t_s), "dead": 0})
    return pl.DataFrame(rows, schema=BACKLOG)


def _events() -> pl.DataFrame:
    rows: list[Row] = []

    def event(t_s: float, kind: EventKind, obj: str = "", detail: str = "{}") -> None:
        rows.append({"t_ns": ns(t_s), "kind": kind.value, "object": obj, "detail": detail, "region": "default"})

    event(0.0, EventKind.CLOCK, "runner", f'{{"wall_ns": {ns(0.0)}, "monotonic_ns": 0}}')
    phases = ((Phase.BASELINE, 5.0), (Phase.INJECT, FAULT_S - 0.01), (Phase.OBSERVE, FAULT_S + 0.2), (Phase.HEAL, HEAL_S))
    for phase, t_s in phases:
        event(t_s, EventKind.PHASE, phase.value)
    for t_s in (10.0, 30.0, HEAL_S - 1):
        event(t_s, EventKind.HYPOTHESIS, "short", '{"met": true, "value": 1, "no_data": false}')
    event(FAULT_S, EventKind.FAULT_START, "cut", '{"targets": ["engine"]}')
    event(FAULT_S + 0.1, EventKind.FAULT_CONFIRMED, "gone", '{"observed": true}')
    event(FAULT_S + 1, EventKind.FAULT_END, "cut", '{"how": "at once"}')
    event(HEAL_S, EventKind.HEAL_START)
    event(HEAL_S + 1, EventKind.HEAL_END, "", '{"clean": true, "remains": []}')
    return pl.DataFrame(rows, schema=EVENTS).sort("t_ns")


def _plan(story: JobStory) -> Plan:
    budgets = Budgets(rto_s=story.rto_s, rpo_jobs=0)
    workload = AsyncPlan(name="async-inference", role="consumer", budgets=budgets, slo=SLO, jobs=JOBS, url="http://here", seed=7)
    plan = plain_plan(
        run_id="jobs-1",
        experiment={"id": "async/engines-gone", "title": "Engines are gone", "hypothesis": "jobs are done"},
        training={},
        timers=Timers(baseline_s=30, hold_s=10, confirm_s=10, deadline_s=100, heal_s=10),
        targets=(ResolvedTarget(kind="Pod", name="engine", namespace="ml-serving"),),
        evidence=("gone",),
        hypothesis_probes=("short",),
    )
    return plan.model_copy(update={"workloads": (workload,)})
